import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from benchmarks.real_data import data_root
from mmcount.datasets import AdipocyteCells, AnnotationError, DotImageDataset, MBMCells, VGGCells
from mmcount.datasets.formats import colour_points, dot_mask, mask_points, read_dot_image

DOTS = [(0, 0), (1, 0), (7, 5), (3, 2)]  # (x, y); the first two touch


def dot_array(dots=DOTS, size=(6, 8), colour=(255, 0, 0)):
    pixels = np.zeros((*size, 3), np.uint8)
    for x, y in dots:
        pixels[y, x] = colour
    return pixels


def write_pair(folder, name='001', dots=DOTS, size=(6, 8)):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(folder / f'{name}cell.png')
    Image.fromarray(dot_array(dots, size)).save(folder / f'{name}dots.png')


def points_of(dataset, index=0):
    return sorted(map(tuple, dataset[index]['points'].tolist()))


def real(name):
    folder = data_root(name)
    if folder is None:
        pytest.skip(f'data set {name} is not on this machine; set MMCOUNT_DATA_ROOT')
    return str(folder)


def test_dots_become_points_at_pixel_centres_and_touching_dots_stay_apart(tmp_path):
    write_pair(tmp_path)
    dataset = VGGCells(data_root=tmp_path)
    assert points_of(dataset) == sorted(DOTS)
    assert dataset[0]['height'] == 6
    assert dataset[0]['width'] == 8
    assert dataset.metainfo['classes'] == ('cell',)


def test_an_image_without_dots_is_kept(tmp_path):
    write_pair(tmp_path, '001')
    write_pair(tmp_path, '002', dots=[])
    assert VGGCells(data_root=tmp_path).class_counts().tolist() == [[4], [0]]


def test_files_of_the_same_name_in_two_folders_have_their_own_ids(tmp_path):
    write_pair(tmp_path / 'a', '1')
    write_pair(tmp_path / 'b', '1', dots=[(2, 2)])
    dataset = VGGCells(data_root=tmp_path)
    assert [dataset[i]['img_id'] for i in range(2)] == ['a/1cell.png', 'b/1cell.png']
    assert dataset.class_counts().tolist() == [[4], [1]]


def test_hidden_files_are_ignored(tmp_path):
    write_pair(tmp_path, '001')
    (tmp_path / '._001cell.png').write_bytes(b'resource fork')
    (tmp_path / '.cache').mkdir()
    write_pair(tmp_path / '.cache', '002')
    assert len(VGGCells(data_root=tmp_path)) == 1


def test_a_missing_annotation_names_both_files(tmp_path):
    write_pair(tmp_path)
    (tmp_path / '001dots.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'001cell\.png: its annotation .*001dots\.png does not exist'):
        VGGCells(data_root=tmp_path)


def test_an_annotation_of_another_size_names_both_sizes(tmp_path):
    write_pair(tmp_path)
    Image.fromarray(dot_array(size=(7, 9))).save(tmp_path / '001dots.png')
    with pytest.raises(AnnotationError, match=r'001dots\.png: the dot image is 9x7 px .*001cell\.png is 8x6 px'):
        VGGCells(data_root=tmp_path)


@pytest.mark.parametrize('name', ['001cell.png', '001dots.png'])
def test_a_file_that_is_no_image_is_named(tmp_path, name):
    write_pair(tmp_path)
    (tmp_path / name).write_bytes(b'not an image')
    with pytest.raises(AnnotationError, match=name):
        VGGCells(data_root=tmp_path)


def test_a_truncated_annotation_is_named(tmp_path):
    write_pair(tmp_path)
    noise = np.random.default_rng(0).integers(0, 100, (6, 8, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / '001dots.png')
    data = (tmp_path / '001dots.png').read_bytes()
    (tmp_path / '001dots.png').write_bytes(data[: len(data) // 2])
    with pytest.raises(AnnotationError, match=r'001dots\.png: cannot be read as a dot image'):
        VGGCells(data_root=tmp_path)


def test_an_inverted_annotation_is_refused(tmp_path):
    write_pair(tmp_path)
    Image.fromarray(255 - dot_array()).save(tmp_path / '001dots.png')
    with pytest.raises(AnnotationError, match=r'44 of 48 pixels would be dots .*inverted'):
        VGGCells(data_root=tmp_path)


def test_a_folder_without_photos_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no photo below .*img_suffix='cell.png'"):
        VGGCells(data_root=tmp_path)
    with pytest.raises(FileNotFoundError, match='does not exist'):
        VGGCells(data_root=tmp_path / 'nowhere')


@pytest.mark.parametrize('quality', [100, 95])
def test_jpeg_dots_of_good_quality_are_read_exactly(tmp_path, quality):
    rng = np.random.default_rng(1)
    chosen = rng.choice(150 * 150, 155, replace=False)
    dots = [(int(index % 150), int(index // 150)) for index in chosen]
    for folder, pixels in (
        ('images', np.full((150, 150, 3), 240, np.uint8)),
        ('annotations', dot_array(dots, (150, 150))),
    ):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / 'one.jpeg', quality=quality, subsampling=0)
    assert points_of(AdipocyteCells(data_root=tmp_path)) == sorted(dots)


def test_a_jpeg_needs_a_threshold(tmp_path):
    for folder in ('images', 'annotations'):
        (tmp_path / folder).mkdir()
        Image.fromarray(dot_array()).save(tmp_path / folder / 'one.jpg')
    with pytest.raises(AnnotationError, match='background is not exactly zero'):
        AdipocyteCells(data_root=tmp_path, dot_rule='nonzero')


@pytest.mark.parametrize('one_bit', [True, False])
def test_mbm_names_and_one_bit_files_are_read(tmp_path, one_bit):
    Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(tmp_path / 'BM_GRAZ_HE_0001_01_000.png')
    dots = Image.fromarray(dot_array()[..., 0])
    (dots.convert('1') if one_bit else dots).save(tmp_path / 'BM_GRAZ_HE_0001_01_dots_000.png')
    dataset = MBMCells(data_root=tmp_path)
    assert len(dataset) == 1
    assert dataset[0]['img_id'] == 'BM_GRAZ_HE_0001_01_000.png'
    assert points_of(dataset) == sorted(DOTS)


def test_mbm_annotation_missing_is_named_as_expected(tmp_path):
    Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(tmp_path / 'BM_GRAZ_HE_0001_01_000.png')
    with pytest.raises(FileNotFoundError, match=r'BM_GRAZ_HE_0001_01_dots_000\.png does not exist'):
        MBMCells(data_root=tmp_path)


def test_dots_of_several_colours_are_several_classes(tmp_path):
    pixels = dot_array([(0, 0), (1, 1)])
    pixels[3, 4] = (10, 250, 5)
    for folder, array in (('img', np.full((6, 8, 3), 90, np.uint8)), ('ann', pixels)):
        (tmp_path / folder).mkdir()
        Image.fromarray(array).save(tmp_path / folder / 'one.png')
    colours = {'live': (0, 255, 0), 'dead': (255, 0, 0)}
    dataset = DotImageDataset(data_root=tmp_path, data_prefix={'img': 'img', 'ann': 'ann'}, dot_colors=colours)
    assert dataset.metainfo['classes'] == ('live', 'dead')
    assert dataset.metainfo['palette'] == [(0, 255, 0), (255, 0, 0)]
    assert dataset.class_counts().tolist() == [[1, 2]]
    assert dataset[0]['points'].tolist() == [[4, 3], [0, 0], [1, 1]]
    folders = {'img': 'img', 'ann': 'ann'}
    named = {'metainfo': {'classes': 'live,dead'}, 'dot_colors': colours}
    assert DotImageDataset(data_root=tmp_path, data_prefix=folders, **named).metainfo['classes'] == ('live', 'dead')
    with pytest.raises(ValueError, match='in this order'):
        DotImageDataset(
            data_prefix={'img': 'img', 'ann': 'ann'}, dot_colors=colours, metainfo={'classes': ('dead', 'live')}
        )


def test_colours_that_cannot_be_told_apart_are_refused():
    colours = {'a': (255, 0, 0), 'b': (255, 60, 0)}
    with pytest.raises(ValueError, match="'a' and 'b' differ by at most 60, but a tolerance of 40"):
        colour_points(dot_array(), colours, 40)
    points, labels = colour_points(dot_array(), colours, 20)
    assert len(points) == 4
    assert labels.tolist() == [0] * 4


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'dot_rule': 'blue'}, "got 'blue'"),
        ({'dot_rule': 'value>x'}, 'dot_rule must be'),
        ({'ann_suffix': ''}, 'same names in the same folder'),
        ({'dot_colors': {'a': (1, 2)}}, r"dot_colors\['a'\] must be"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DotImageDataset(**{'ann_suffix': '_dots.png', **arguments})


def test_suffixes_and_rules_are_options(tmp_path):
    Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(tmp_path / 'x.tif')
    cv2.imwrite(str(tmp_path / 'x_marks.png'), dot_array(colour=(0, 0, 9))[..., 2])
    dataset = DotImageDataset(data_root=tmp_path, ann_suffix='_marks.png', dot_rule='value>8')
    assert points_of(dataset) == sorted(DOTS)
    with pytest.raises(AnnotationError, match="none fits dot_rule='value>9'"):
        DotImageDataset(data_root=tmp_path, ann_suffix='_marks.png', dot_rule='value>9')


def test_transparency_does_not_count_as_a_dot(tmp_path):
    alpha = np.concatenate([dot_array(), np.full((6, 8, 1), 255, np.uint8)], axis=2)
    Image.fromarray(alpha).save(tmp_path / 'a.png')
    assert dot_mask(read_dot_image(str(tmp_path / 'a.png')), 'nonzero').sum() == 4


@settings(deadline=None, derandomize=True, max_examples=30)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_points_and_mask_are_two_forms_of_the_same(mask):
    points = mask_points(mask)
    again = np.zeros_like(mask)
    again[points[:, 1].astype(int), points[:, 0].astype(int)] = True
    assert len(points) == mask.sum()
    assert (again == mask).all()


def test_vgg_cells_have_their_published_total():
    dataset = VGGCells(data_root=real('vgg_cells'))
    counts = dataset.class_counts()
    assert len(dataset) == 200
    assert counts.sum() == 35_192
    assert (counts.min(), counts.max()) == (74, 317)
    assert counts.std() == pytest.approx(61.24, abs=0.005)
    assert all(dataset.get_data_info(i)['img_id'] == f'{i + 1:03d}cell.png' for i in range(200))


def test_adipocyte_cells_have_their_known_total_at_any_threshold():
    folder = real('adipocyte')
    for rule in ('red', 'red>64', 'red>249'):
        assert AdipocyteCells(data_root=folder, dot_rule=rule).class_counts().sum() == 31_017


def dots_of(folder, *arrays, **kwargs):
    """A data set of photos with these annotation images."""
    for part in ('images', 'dots'):
        (folder / part).mkdir()
    for index, array in enumerate(arrays):
        Image.fromarray(np.zeros((*array.shape[:2], 3), np.uint8)).save(folder / 'images' / f'{index}.png')
        Image.fromarray(array).save(folder / 'dots' / f'{index}.png')
    return DotImageDataset(data_root=folder, data_prefix={'img': 'images', 'ann': 'dots'}, **kwargs)


def test_marks_of_which_none_fits_the_rule_are_an_error(tmp_path):
    with pytest.raises(AnnotationError, match=r"4 pixels are marked.*\(0, 255, 0\), but none fits dot_rule='red'"):
        dots_of(tmp_path, dot_array(colour=(0, 255, 0)))


def test_dots_of_the_value_one_are_named_in_the_error(tmp_path):
    with pytest.raises(AnnotationError, match=r"with the value 1, but none fits dot_rule='value>127'"):
        dots_of(tmp_path, dot_array()[..., 0] // 255, dot_rule='value>127')


def discs(values):
    """A mask of 40x40 px with three filled discs that do not touch."""
    mask = np.zeros((40, 40), np.uint8)
    for centre, value in zip(((8, 8), (30, 9), (20, 30)), values, strict=True):
        cv2.circle(mask, centre, 5, value, -1)
    return mask


def test_filled_areas_are_no_dots_and_the_error_says_what_they_are(tmp_path):
    with pytest.raises(AnnotationError, match=r'243 marked pixels touch in 3 groups with 1 different value: these are'):
        dots_of(tmp_path, discs((255, 255, 255)))


@pytest.mark.parametrize(('marks', 'count'), [('blobs', 3), ('labels', 2), ('pixels', 243)])
def test_marks_say_what_an_object_is(tmp_path, marks, count):
    dataset = dots_of(tmp_path, discs((1, 2, 2)), dot_rule='nonzero', marks=marks)
    assert dataset.class_counts().tolist() == [[count]]
    if marks == 'blobs':
        assert points_of(dataset) == [(8, 8), (20, 30), (30, 9)]


def test_filled_areas_in_the_colours_of_classes_are_no_dots_either(tmp_path):
    red = np.pad(discs((255, 255, 255))[..., None], ((0, 0), (0, 0), (0, 2)))
    with pytest.raises(AnnotationError, match='243 marked pixels touch in 3 groups'):
        dots_of(tmp_path, red, dot_colors={'a': (255, 0, 0), 'b': (0, 255, 0)})


def test_unknown_marks_and_areas_of_several_classes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"marks must be one of .* got 'cells'"):
        DotImageDataset(data_root=tmp_path, ann_suffix='_dots.png', marks='cells')
    with pytest.raises(ValueError, match="marks='blobs' knows one class"):
        DotImageDataset(data_root=tmp_path, ann_suffix='_dots.png', marks='blobs', dot_colors={'a': (255, 0, 0)})
