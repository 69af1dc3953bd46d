import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmcount.datasets import AnnotationError, PointsCSVDataset, points_csv
from mmcount.datasets.formats import PointTable

GOOD = 'image,x,y\na.png,1,2\na.png,3.5,4\nb.png,0,0\n'


@pytest.fixture
def folder(tmp_path):
    """Three images of 10x8 px (width x height): a.png, b.png, sub/a.png."""
    (tmp_path / 'sub').mkdir()
    for name in ('a.png', 'b.png', 'sub/a.png'):
        Image.fromarray(np.zeros((8, 10, 3), np.uint8)).save(tmp_path / name)
    return tmp_path


def read(folder, text=GOOD, **kwargs):
    (folder / 'points.csv').write_bytes(text if isinstance(text, bytes) else text.encode())
    return PointsCSVDataset(data_root=folder, **kwargs)


def test_images_without_a_line_count_zero_and_same_stems_have_their_own_ids(folder):
    dataset = read(folder)
    assert [dataset[i]['img_id'] for i in range(3)] == ['a.png', 'b.png', 'sub/a.png']
    assert dataset.class_counts().tolist() == [[2], [1], [0]]
    assert dataset[0]['points'].tolist() == [[1, 2], [3.5, 4]]
    assert (dataset[0]['height'], dataset[0]['width']) == (8, 10)
    assert dataset.metainfo['classes'] == ('object',)


@pytest.mark.parametrize(
    'text',
    [
        GOOD.replace(',', ';'),
        GOOD.replace(',', '\t'),
        GOOD.replace('\n', '\r\n'),
        GOOD.replace('image,x,y', '"Image","X","Y"').replace('a.png', '"a.png"'),
        b'\xef\xbb\xbf' + GOOD.encode(),
        GOOD.encode('utf-16'),
        'y,comment,x,filename\n2,,1,a.png\n4,"so, so",3.5,./a.png\n0,,0,b.png\n',
        GOOD.replace('\n', '\n\n').rstrip(),
        GOOD.replace(',', ' , '),
    ],
    ids=['semicolon', 'tab', 'crlf', 'quoted', 'bom', 'utf16', 'other columns', 'blank lines', 'spaces'],
)
def test_dialects_of_the_same_table_read_the_same(folder, text):
    dataset = read(folder, text)
    assert dataset.class_counts().tolist() == [[2], [1], [0]]
    assert dataset[0]['points'].tolist() == [[1, 2], [3.5, 4]]


def test_a_table_with_only_a_header_may_mean_that_all_images_are_empty(folder):
    assert read(folder, 'image,x,y\n', allow_empty=True).class_counts().tolist() == [[0], [0], [0]]
    assert read(folder, 'image,x,y,class\n', allow_empty=True).class_counts().tolist() == [[0], [0], [0]]


def test_a_list_says_which_images_are_labelled(folder):
    (folder / 'train.txt').write_text('sub/a.png\n\n./b.png\n')
    dataset = read(folder, 'image,x,y\nb.png,1,1\n', images='train.txt')
    assert [dataset[i]['img_id'] for i in range(2)] == ['b.png', 'sub/a.png']
    assert dataset.class_counts().tolist() == [[1], [0]]
    with pytest.raises(AnnotationError, match=r"line 2: image 'a\.png' is not in the list of images"):
        read(folder, GOOD, images='train.txt')


def test_the_image_folder_is_an_option(folder):
    dataset = read(folder, 'image,x,y\na.png,1,1\n', data_prefix={'img': 'sub'})
    assert [dataset[i]['img_id'] for i in range(len(dataset))] == ['sub/a.png']


@pytest.mark.parametrize(
    ('listed', 'message'),
    [
        ('a.png\nc.png\n', r"list\.txt, line 2: image 'c\.png' does not exist"),
        ('a.png\nb.png\na.png\n', r"list\.txt, line 3: image 'a\.png' is already on line 1"),
        ('\n \n', r'list\.txt: the file is empty'),
    ],
)
def test_a_wrong_list_names_the_line(folder, listed, message):
    (folder / 'list.txt').write_text(listed)
    with pytest.raises(AnnotationError, match=message):
        read(folder, images='list.txt')


def test_classes_are_found_in_the_table_and_sorted(folder):
    text = 'image,x,y,class\na.png,1,1,dead\na.png,2,2,alive\nb.png,3,3,dead\n'
    dataset = read(folder, text)
    assert dataset.metainfo['classes'] == ('alive', 'dead')
    assert len(dataset.metainfo['palette']) == 2
    assert dataset.class_counts().tolist() == [[1, 1], [0, 1], [0, 0]]
    assert dataset[0]['num_classes'] == 2
    fixed = read(folder, text, metainfo={'classes': ('dead', 'ill', 'alive')})
    assert fixed.class_counts().tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 0]]


def test_an_unknown_class_names_line_and_nearest_class(folder):
    with pytest.raises(AnnotationError, match=r"line 3: class 'celll' is unknown, .*did you mean 'cell'\?") as caught:
        read(folder, 'image,x,y,class\na.png,1,1,cell\na.png,1,2,celll\n', metainfo={'classes': ('cell',)})
    assert (caught.value.file, caught.value.line) == (str(folder / 'points.csv'), 3)


def test_several_classes_need_a_class_column(folder):
    with pytest.raises(AnnotationError, match='no class column, but metainfo has 2 classes'):
        read(folder, metainfo={'classes': ('a', 'b')})


@pytest.mark.parametrize(
    ('text', 'line', 'message'),
    [
        ('', None, 'the file is empty'),
        (' \n\n', None, 'the file is empty'),
        ('image,x\na.png,1\n', 1, r"lacks \['y'\]"),
        ('a.png,1,2\n', 1, r"lacks \['image', 'x', 'y'\]"),
        ('image,x,y,X\n', 1, "2 columns for 'x'"),
        ('image,x,y\na.png,one,2\n', 2, "x is 'one', expected a number"),
        ('image,x,y\na.png,1,\n', 2, "y is '', expected a number"),
        ('image;x;y\na.png;1,5;2\n', 2, r"x is '1,5', expected a number; write '1\.5'"),
        ('image,x,y\na.png,1,nan\n', 2, "y is 'nan', expected a finite number"),
        ('image,x,y\na.png,inf,1\n', 2, "x is 'inf', expected a finite number"),
        ('image,x,y\na.png,1e300,1\n', 2, 'expected a finite number'),
        ('image,x,y\na.png,1_0,1\n', 2, "x is '1_0', expected a finite number"),
        ('image,x,y\na.png,1,2\nb.png,1\n', 3, r"2 columns \['b.png', '1'\], expected 3"),
        ('image,x,y\na.png,1,5,2\n', 2, '4 columns'),
        ('image,x,y\n,1,5\n', 2, 'image name is empty'),
        ('image,x,y,class\na.png,1,5,\n', 2, 'class is empty'),
        ('image,x,y\n"a.png,1,5\n', 2, 'not well-formed'),
        ('""\n', 1, 'no header'),
        (b'image,x,y\na.png,1,2\n\xff\xfe,1,2\n', 3, 'not utf-8-sig text'),
        (b'image,x,y\na\0.png,1,2\n', 2, 'NUL'),
        ('image,x,y\nA.png,1,2\n', 2, r"image 'A\.png' is not below .*\(3 images\); did you mean 'a\.png'\?"),
        ('image,x,y\na.png,1,2\na.png,10.5,2\n', 3, r"point \(10\.5, 2\) is outside image 'a\.png' of 10x8 px"),
        ('image,x,y\na.png,2,9\n', 2, 'are x and y swapped'),
        ('image,x,y\na.png,-1.01,2\n', 2, 'outside'),
    ],
)
def test_a_wrong_table_names_file_and_line(folder, text, line, message):
    with pytest.raises(AnnotationError, match=message) as caught:
        read(folder, text)
    assert caught.value.file == str(folder / 'points.csv')
    assert caught.value.line == line


def test_missing_files_are_named(folder):
    with pytest.raises(FileNotFoundError, match=r"points file '.*points\.csv' does not exist"):
        PointsCSVDataset(data_root=folder)
    with pytest.raises(FileNotFoundError, match=r"list of images '.*no\.txt' does not exist"):
        read(folder, images='no.txt')
    (folder / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match=r"no image below '.*empty'.*\.png"):
        read(folder, data_prefix={'img': 'empty'})


def test_rounding_at_the_border_is_moved_into_the_image(folder, monkeypatch):
    messages = []
    monkeypatch.setattr(points_csv, 'print_log', lambda message, **kwargs: messages.append(message))
    points = read(folder, 'image,x,y\na.png,10,8\na.png,-1,-1\na.png,9.5,0\na.png,5,5\n')[0]['points']
    assert (points >= -0.5).all()
    assert (points < np.array([9.5, 7.5], np.float32)).all()
    assert points[3].tolist() == [5, 5]
    assert any('3 points up to half a pixel outside' in message for message in messages)


def test_bounds_may_be_left_unchecked(folder):
    dataset = read(folder, 'image,x,y\na.png,100,100\n', check_bounds=False)
    assert dataset[0]['points'].tolist() == [[100, 100]]
    assert 'height' not in dataset[0]


def test_corner_coordinates_are_moved_by_half_a_pixel(folder):
    points = read(folder, 'image,x,y\na.png,0.5,2\na.png,0,0\n', origin='corner')[0]['points']
    assert points.tolist() == [[0, 1.5], [-0.5, -0.5]]
    with pytest.raises(ValueError, match="got 'middle'"):
        read(folder, origin='middle')


def test_a_turned_photo_is_checked_as_it_is_displayed(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((8, 10, 3), np.uint8)).save(folder / 'turned.jpg', exif=exif)
    dataset = read(folder, 'image,x,y\nturned.jpg,2,9\n')
    assert (dataset[2]['img_id'], dataset[2]['height'], dataset[2]['width']) == ('sub/a.png', 8, 10)
    assert (dataset[3]['img_id'], dataset[3]['height'], dataset[3]['width']) == ('turned.jpg', 10, 8)


def test_repeated_points_are_kept_and_reported_once(folder, monkeypatch):
    messages = []
    monkeypatch.setattr(
        points_csv, 'print_log', lambda message, level=logging.INFO, **kwargs: messages.append((level, message))
    )
    dataset = read(folder, 'image,x,y\n' + 'a.png,1,1\n' * 3 + 'b.png,1,1\nb.png,2,2\nb.png,2,2\n')
    assert dataset.class_counts().tolist() == [[3], [3], [0]]
    warnings = [message for level, message in messages if level == logging.WARNING]
    assert len(warnings) == 1
    assert '3 points repeat an earlier line' in warnings[0]


def test_the_split_protocol_works_on_a_folder(folder):
    parts = [
        read(folder, split={'num_train': 1, 'num_test': 1}, subset=subset)[0]['img_id']
        for subset in ('train', 'val', 'test')
    ]
    assert sorted(parts) == ['a.png', 'b.png', 'sub/a.png']


def test_classes_may_be_given_as_text_as_on_a_command_line(folder):
    text = 'image,x,y,class\na.png,1,2,live\nb.png,1,2,dead\n'
    dataset = read(folder, text, metainfo={'classes': 'live,dead'})
    assert dataset.class_counts().tolist() == [[1, 0], [0, 1], [0, 0]]
    with pytest.raises(
        AnnotationError, match=r"class 'dead' is unknown, expected one of \('live', 'ded'\); did you mean"
    ):
        read(folder, text, metainfo={'classes': 'live, ded'})


def test_a_table_of_another_format_needs_a_parser_and_three_lines(folder):
    def read_points_json(path):
        rows = json.loads(Path(path).read_text())
        points = np.array([[row['x'], row['y']] for row in rows], dtype=np.float64)
        return PointTable([row['image'] for row in rows], None, list(range(1, len(rows) + 1)), points)

    class PointsJSONDataset(PointsCSVDataset):
        read = staticmethod(read_points_json)

    (folder / 'points.json').write_text(json.dumps([{'image': 'b.png', 'x': 2, 'y': 3}]))
    dataset = PointsJSONDataset(ann_file='points.json', data_root=folder)
    assert dataset.class_counts().tolist() == [[0], [1], [0]]
    (folder / 'points.json').write_text(json.dumps([{'image': 'b.png', 'x': 2, 'y': 30}]))
    with pytest.raises(AnnotationError, match=r'points\.json, line 1: point \(2, 30\) is outside'):
        PointsJSONDataset(ann_file='points.json', data_root=folder)


def test_a_line_without_x_and_y_is_an_image_without_objects(folder):
    dataset = read(folder, 'image,x,y,class\na.png,1,2,cell\nb.png,,,\n')
    assert dataset.class_counts().tolist() == [[1], [0], [0]]
    assert dataset.metainfo['classes'] == ('cell',)
    with pytest.raises(AnnotationError, match=r"line 2: image 'c.png' is not below"):
        read(folder, 'image,x,y\nc.png,,\n')
    with pytest.raises(AnnotationError, match=r"line 3: image 'a.png' has an object, but line 2"):
        read(folder, 'image,x,y\na.png,,\na.png,1,2\n')
    with pytest.raises(AnnotationError, match='line 2: x and y are empty, but not the other columns'):
        read(folder, 'image,x,y,class\na.png,,,cell\n')
    with pytest.raises(AnnotationError, match="line 2: x is ''"):
        read(folder, 'image,x,y\na.png,,2\n')


def test_a_first_line_may_name_the_separator(folder):
    assert read(folder, 'sep=;\r\nimage;x;y\r\na.png;1;2\r\n').class_counts().tolist() == [[1], [0], [0]]
    with pytest.raises(AnnotationError, match=r"line 3: x is '1,5', expected a number; write '1.5'"):
        read(folder, 'sep=;\nimage;x;y\na.png;1,5;2\n')
    with pytest.raises(AnnotationError, match='line 1: has no header'):
        read(folder, 'sep=;\n')


@pytest.mark.parametrize(
    ('line', 'advice'),
    [
        ('a.png,1,5,2,5', 'decimal commas, write decimal points'),
        ('a.png,"1.234,5",2', 'without separators of thousands'),
        ('a.png,"1,5",2', "write '1.5'"),
    ],
)
def test_the_advice_for_decimal_commas_fits(folder, line, advice):
    with pytest.raises(AnnotationError, match=advice):
        read(folder, f'image,x,y\n{line}\n')


def test_a_table_without_a_row_is_an_error_unless_it_is_allowed(folder):
    with pytest.raises(AnnotationError, match=r'points.csv: the table has a header and no row.* all 3 images'):
        read(folder, 'image,x,y\n')
    assert read(folder, 'image,x,y\n', allow_empty=True).class_counts().tolist() == [[0], [0], [0]]
    assert read(folder, 'image,x,y\na.png,,\n').class_counts().tolist() == [[0], [0], [0]]


def test_sizes_of_boxes_beside_x_and_y_are_refused(folder):
    with pytest.raises(AnnotationError, match='line 1: the columns x, y, width, height are boxes'):
        read(folder, 'image,x,y,width,height\na.png,1,2,3,3\n')
    whole = 'image,x,y,w,h,x1,y1,x2,y2\na.png,2,3,2,2,1,2,3,4\n'
    assert read(folder, whole)[0]['points'].tolist() == [[2, 3]]
