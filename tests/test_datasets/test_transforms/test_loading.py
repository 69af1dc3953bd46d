import io
import struct
import zlib

import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.dataset import Compose
from PIL import Image

import mmcount.datasets  # noqa: F401
from mmcount.datasets.formats import encode_mask
from mmcount.datasets.transforms import LoadCountAnnotations, LoadImage
from mmcount.datasets.transforms.loading import decode_image
from mmcount.registry import TRANSFORMS
from mmcount.structures import CountedBoxes, PointBoxes

GREY = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)  # RGB


def encode(img: Image.Image, file_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    img.save(stream, file_format, **options)
    return stream.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds almost nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    header = chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 1, 0, 0, 0, 0))
    return b'\x89PNG\r\n\x1a\n' + header + chunk(b'IDAT', zlib.compress(b'\0')) + chunk(b'IEND', b'')


FILES = {
    'grey': encode(Image.fromarray(GREY), 'PNG'),
    '16 bits': encode(Image.fromarray(GREY.astype(np.uint16) * 257), 'PNG'),
    '16-bit tiff': encode(Image.fromarray(GREY.astype(np.uint16) * 257), 'TIFF'),
    'grey and opaque alpha': encode(Image.fromarray(np.stack([GREY, np.full_like(GREY, 255)], axis=-1)), 'PNG'),
    'gif': encode(Image.fromarray(GREY), 'GIF'),
    'webp': encode(Image.fromarray(GREY), 'WEBP', lossless=True),
}


@pytest.mark.parametrize('kind', FILES)
def test_every_kind_of_grey_file_becomes_8_bit_bgr(kind):
    img = decode_image(FILES[kind], kind)
    assert img.dtype == np.uint8
    assert img.flags.c_contiguous
    assert np.array_equal(img, np.repeat(GREY[..., None], 3, axis=2))


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'P'])
def test_colour_comes_in_bgr_order(mode):
    few = (COLOUR // 128) * 255  # eight colours, so that a palette is exact
    img = Image.fromarray(few).convert(mode)
    assert np.array_equal(decode_image(encode(img, 'PNG'), mode), few[..., ::-1])


def test_orientation_is_applied_unless_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x112] = 6
    path = tmp_path / 'turned.jpg'
    Image.fromarray(COLOUR).save(path, exif=exif)
    assert LoadImage()(dict(img_path=str(path)))['img'].shape == (30, 20, 3)
    assert LoadImage(ignore_orientation=True)(dict(img_path=str(path)))['img'].shape == (20, 30, 3)


def test_an_image_is_loaded_through_the_registry_with_its_shapes(tmp_path):
    path = tmp_path / 'a.png'
    Image.fromarray(COLOUR).save(path)
    results = TRANSFORMS.build(dict(type='mmcount.LoadImage'))(dict(img_path=path))
    assert np.array_equal(results['img'], COLOUR[..., ::-1])
    assert results['img_shape'] == results['ori_shape'] == (20, 30)
    assert LoadImage(to_float32=True)(dict(img_path=str(path)))['img'].dtype == np.float32


def test_an_image_in_memory_passes_through_and_nothing_is_refused():
    results = LoadImage()(dict(img=COLOUR))
    assert results['img'] is COLOUR
    assert results['ori_shape'] == (20, 30)
    for wrong in ({}, dict(img=GREY), dict(img='a.png')):
        with pytest.raises(ValueError, match='img_path'):
            LoadImage()(wrong)


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r'no/such/image\.png'):
        LoadImage()(dict(img_path='no/such/image.png'))


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'empty'),
        (b'hello, world', r"12 bytes that begin with b'hello, w'"),
        (FILES['grey'][:200], 'cannot decode'),
        (FILES['webp'][:200], 'cannot decode'),
        (encode(Image.fromarray(COLOUR), 'JPEG')[:700], 'cannot decode'),
        (encode(Image.fromarray(GREY.astype(np.float32) / 255), 'TIFF'), '32-bit'),
        (encode(Image.fromarray(GREY.astype(np.int32)), 'TIFF'), '32-bit'),
    ],
    ids=['empty', 'text', 'cut png', 'cut webp', 'cut jpeg', 'float', 'int32'],
)
def test_an_unusable_file_is_named_with_the_reason(tmp_path, content, reason):
    path = tmp_path / 'bad.img'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as error:
        LoadImage()(dict(img_path=str(path)))
    assert str(path) in str(error.value)


def test_a_bomb_is_refused_by_its_header():
    for side in (8_000, 12_000, 20_000):  # below and above the limits of Pillow itself
        with pytest.raises(ValueError, match=f'has {side * side} pixels, more than max_pixels=1000000'):
            decode_image(png_header(side, side), 'bomb', max_pixels=1_000_000)


def test_an_image_of_exactly_max_pixels_is_accepted():
    assert decode_image(FILES['grey'], 'grey', max_pixels=600).shape == (20, 30, 3)
    with pytest.raises(ValueError, match='600 pixels'):
        decode_image(FILES['grey'], 'grey', max_pixels=599)


def test_the_options_of_pixels_reach_the_decoder(tmp_path):
    path = tmp_path / 'a.tif'
    first = np.full((4, 5), 500, np.uint16)
    Image.fromarray(first).save(path, save_all=True, append_images=[Image.fromarray(first * 2)])
    load = LoadImage(value_range=[0, 1023], plane=1)
    assert load(dict(img_path=path))['img'][0, 0].tolist() == [250] * 3
    assert LoadImage(value_range=[0, 1023], plane=0)(dict(img_path=path))['img'][0, 0].tolist() == [125] * 3
    assert 'value_range=(0, 1023), background=(255, 255, 255), plane=1' in repr(load)


def test_skipping_returns_none_and_warns_once_for_each_file(tmp_path, monkeypatch):
    messages = []
    monkeypatch.setattr('mmcount.datasets.transforms.loading.print_log', lambda text, **_: messages.append(text))
    load = LoadImage(on_error='skip')
    bad = tmp_path / 'bad.png'
    bad.write_bytes(b'nothing')
    assert load(dict(img_path=str(bad))) is None
    assert load(dict(img_path=str(bad))) is None
    assert load(dict(img_path='missing.png')) is None
    assert [('bad.png' in text, 'missing.png' in text) for text in messages] == [(True, False), (False, True)]
    assert Compose([load])(dict(img_path=str(bad))) is None


@pytest.mark.parametrize(
    'options',
    [
        dict(on_error='ignore'),
        dict(max_pixels=0),
        dict(value_range=(5, 5)),
        dict(value_range=(1, 2, 3)),
        dict(background=(0, 0, 256)),
        dict(plane=-1),
    ],
)
def test_wrong_options_of_load_image_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        LoadImage(**options)


def annotations(**changes: object) -> dict:
    info = dict(
        img_id='im7',
        num_classes=3,
        ori_shape=(20, 30),
        points=np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32),
        bboxes=np.array([[0, 0, 3, 5], [1, 1, 9, 9], [2, 2, 4, 4]], dtype=np.float32),
        labels=np.array([2, 0, 2]),
        masks=[np.eye(20, 30, k, dtype=np.uint8) for k in range(3)],
    )
    return {**info, **changes}


def test_points_become_point_boxes_with_labels_and_raw_counts():
    results = LoadCountAnnotations()(annotations())
    assert isinstance(results['gt_bboxes'], PointBoxes)
    assert results['gt_bboxes'].tensor.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert results['gt_bboxes_labels'].tolist() == [2, 0, 2]
    assert results['gt_bboxes_labels'].dtype == np.int64
    assert results['gt_ignore_flags'].tolist() == [False] * 3
    assert results['raw_counts'].tolist() == [1, 0, 2]
    assert 'gt_masks' not in results


def test_a_point_that_counts_n_is_repeated_with_its_label_and_mask():
    results = LoadCountAnnotations(with_mask=True)(annotations(counts=[1, 3, 1]))
    assert results['gt_bboxes'].tensor[:, 0].tolist() == [1, 3, 3, 3, 5]
    assert results['gt_bboxes_labels'].tolist() == [2, 0, 0, 0, 2]
    assert np.array_equal(results['gt_masks'].masks[2], np.eye(20, 30, 1))
    assert results['raw_counts'].tolist() == [3, 0, 2]


@pytest.mark.parametrize(('geometry', 'box_type'), [('bboxes', HorizontalBoxes), ('counted_bboxes', CountedBoxes)])
def test_boxes_with_counts(geometry, box_type):
    results = LoadCountAnnotations(geometry)(annotations(counts=[4, 5, 6]))
    assert type(results['gt_bboxes']) is box_type
    assert np.array_equal(results['gt_bboxes'].tensor[:, :4].numpy(), annotations()['bboxes'])
    assert results['raw_counts'].tolist() == [5, 0, 10]
    if box_type is CountedBoxes:
        assert results['gt_bboxes'].counts.tolist() == [4, 5, 6]


def test_counted_boxes_without_counts_count_one():
    assert LoadCountAnnotations('counted_bboxes')(annotations())['gt_bboxes'].counts.tolist() == [1, 1, 1]


def test_ignored_objects_are_flagged_and_not_counted():
    results = LoadCountAnnotations()(annotations(ignore_flags=[True, False, False]))
    assert results['gt_ignore_flags'].tolist() == [True, False, False]
    assert results['raw_counts'].tolist() == [1, 0, 1]


@pytest.mark.parametrize('geometry', [one for one in LoadCountAnnotations.GEOMETRIES if one != 'none'])
def test_an_image_without_objects_has_zero_counts(geometry):
    info = annotations(points=[], bboxes=[], labels=[], counts=[], masks=[])
    results = LoadCountAnnotations(geometry, with_mask=True)(info)
    assert len(results['gt_bboxes']) == len(results['gt_masks']) == 0
    assert results['gt_bboxes'].tensor.dtype.is_floating_point
    assert results['raw_counts'].tolist() == [0, 0, 0]


def test_the_number_of_classes_comes_from_the_data_or_the_argument():
    info = annotations()
    del info['num_classes']
    assert LoadCountAnnotations(num_classes=4)(dict(info))['raw_counts'].shape == (4,)
    assert LoadCountAnnotations(num_classes=9)(annotations())['raw_counts'].shape == (3,)
    with pytest.raises(ValueError, match='number of classes unknown for image im7'):
        LoadCountAnnotations()(info)


@pytest.mark.parametrize(
    ('changes', 'options', 'message'),
    [
        (dict(points=[[1, 2], [3, np.nan], [5, 6]]), {}, r"im7: 'points' 1 is \[3\.0, nan\], expected finite numbers"),
        (dict(points=[[1, 2, 3]] * 3), {}, r"im7: 'points' must be \(N, 2\), got \(3, 3\)"),
        (dict(labels=[0, 3, 1]), {}, r'im7: label 1 is 3, expected 0\.\.2'),
        (dict(labels=[0, 1]), {}, "im7: objects must agree in number, got {'points': 3, 'labels': 2"),
        (dict(labels=None), {}, "im7: has no 'labels'"),
        (dict(counts=[1, 0, 1]), {}, 'im7: counts must be at least 1, got 0'),
        (dict(counts=[1, 1, 1.5]), {}, "im7: 'counts' 2 is 1.5, expected whole numbers"),
        (dict(counts=[1, 1]), {}, "'counts': 2"),
        (dict(ignore_flags=[True]), {}, "'ignore_flags': 1"),
        (dict(bboxes=None), dict(geometry='bboxes'), "needs 'bboxes', which image im7 does not have"),
        (dict(masks=None), dict(with_mask=True), "needs 'masks', which image im7 does not have"),
        (dict(masks=[np.zeros((4, 4), np.uint8)] * 3), dict(with_mask=True), r'mask 0 of image im7 has shape \(4, 4\)'),
        (dict(img_id=None, img_path='d/b.png', labels=[0, 3, 1]), {}, r'd/b\.png: label 1'),
    ],
)
def test_wrong_annotations_are_refused_with_the_name_of_the_image(changes, options, message):
    with pytest.raises(ValueError, match=message):
        LoadCountAnnotations(**options)(annotations(**changes))


def test_an_unknown_geometry_is_refused():
    with pytest.raises(ValueError, match='counted_bboxes'):
        LoadCountAnnotations('circles')


def test_the_annotations_of_the_data_set_are_not_changed_by_transforms():
    info = annotations()
    results = LoadCountAnnotations()(dict(info))
    results['gt_bboxes'].translate_((5, 5))
    results['gt_bboxes'].tensor[:] = 0
    results['gt_bboxes_labels'][:] = 1
    assert info['points'].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert info['labels'].tolist() == [2, 0, 2]


def test_counts_of_the_image_win_over_those_of_its_objects():
    results = LoadCountAnnotations()(annotations(image_counts=np.array([0, 7, 1], np.float32)))
    assert results['raw_counts'].tolist() == [0, 7, 1]
    assert len(results['gt_bboxes']) == 3


def test_without_geometry_only_counts_are_loaded():
    load = LoadCountAnnotations('none')
    info = dict(img_id='im7', num_classes=3)
    results = load(dict(info, image_counts=[0, 7, 1]))
    assert results['raw_counts'].tolist() == [0, 7, 1]
    assert results['raw_counts'].dtype == np.float32
    results = load(annotations(counts=[1, 2, 3], ignore_flags=[True, False, False]))
    assert results['raw_counts'].tolist() == [2, 0, 3]
    assert not [key for key in results if key.startswith('gt_')]
    with pytest.raises(ValueError, match="im7: has no 'labels' of objects to count, and no 'image_counts'"):
        load(dict(info))
    with pytest.raises(ValueError, match=r'im7.*image_counts must be \(3,\)'):
        load(dict(info, image_counts=[1, 2]))
    with pytest.raises(ValueError, match="geometry='none' loads none"):
        LoadCountAnnotations('none', with_mask=True)


def test_counts_alone_cannot_give_places():
    with pytest.raises(ValueError, match=r"needs 'points', which image im7 does not have; .* use geometry='none'"):
        LoadCountAnnotations()(dict(img_id='im7', num_classes=1, image_counts=[3]))


def test_masks_may_be_polygons_or_run_lengths():
    corners = [2.0, 3.0, 12.0, 3.0, 12.0, 9.0, 2.0, 9.0]
    drawn = np.zeros((20, 30), np.uint8)
    drawn[3:9, 2:12] = 1
    runs = dict(size=[20, 30], counts=[2 * 20 + 3, *([6, 14] * 9), 6, 18 * 20 + 11])
    masks = [[corners], encode_mask(drawn), runs]
    results = LoadCountAnnotations(with_mask=True)(annotations(masks=masks, void_mask=encode_mask(1 - drawn)))
    for mask in results['gt_masks'].masks:
        assert np.array_equal(mask, drawn)
    assert results['gt_void_mask'].dtype == bool
    assert np.array_equal(results['gt_void_mask'], drawn == 0)


@pytest.mark.parametrize(
    ('mask', 'message'),
    [
        ([[0, 0, 1, 1]], 'polygon of 4 numbers'),
        ([[0, 0, 1, 1, 2, 2, 3]], 'polygon of 7 numbers'),
        ([['a'] * 6], 'cannot be read as polygons'),
        (dict(size=[20, 30], counts=[3, 4]), 'cannot be read as COCO run lengths: .* 7 pixels, expected 20 x 30'),
        (dict(counts=[600]), "run lengths: .*'size'"),
        (encode_mask(np.ones((4, 4))), r'has shape \(4, 4\), expected \(20, 30\)'),
    ],
)
def test_a_mask_that_cannot_be_drawn_is_named(mask, message):
    with pytest.raises(ValueError, match=f'mask 1 of image im7 .*{message}'):
        LoadCountAnnotations(with_mask=True)(annotations(masks=[np.zeros((20, 30)), mask, np.zeros((20, 30))]))


def test_polygons_need_the_size_of_the_image():
    info = annotations(masks=[[[0, 0, 2, 0, 2, 2]]] * 3)
    del info['ori_shape']
    with pytest.raises(ValueError, match='size of the image is unknown: load the image first'):
        LoadCountAnnotations(with_mask=True)(info)
    sized = LoadCountAnnotations(with_mask=True)({**info, 'height': 20, 'width': 30})
    assert sized['gt_masks'].masks.shape == (3, 20, 30)
