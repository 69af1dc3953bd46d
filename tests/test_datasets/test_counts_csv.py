import numpy as np
import pytest
from PIL import Image

from mmcount.datasets import AnnotationError, CountsCSVDataset
from mmcount.registry import DATASETS

LONG = 'image,class,count\na.png,dog,2\na.png,cat,1\nsub/a.png,cat,30\n'
WIDE = 'image,dog,cat\na.png,2,1\nb.png,0,0\nsub/a.png,0,30\n'


@pytest.fixture
def folder(tmp_path):
    """Three images: a.png, b.png, sub/a.png."""
    (tmp_path / 'sub').mkdir()
    for name in ('a.png', 'b.png', 'sub/a.png'):
        Image.fromarray(np.zeros((8, 10, 3), np.uint8)).save(tmp_path / name)
    return tmp_path


def read(folder, text, **kwargs):
    (folder / 'counts.csv').write_bytes(text if isinstance(text, bytes) else text.encode())
    return CountsCSVDataset(data_root=folder, **kwargs)


def test_pairs_and_images_without_a_line_count_zero(folder):
    dataset = read(folder, LONG)
    assert dataset.metainfo['classes'] == ('cat', 'dog')
    assert [dataset[i]['img_id'] for i in range(3)] == ['a.png', 'b.png', 'sub/a.png']
    assert dataset.class_counts().tolist() == [[1, 2], [0, 0], [30, 0]]
    assert dataset[0]['image_counts'].dtype == np.float32
    assert dataset.get_cat_ids(2) == [0]


@pytest.mark.parametrize(
    'text',
    [
        LONG,
        LONG.replace(',', ';'),
        LONG.replace(',', '\t').replace('\n', '\r\n'),
        b'\xef\xbb\xbf' + LONG.encode(),
        LONG.encode('utf-16'),
        'Number,who,Label,filename\n2,me,dog,./a.png\n1.0,,cat,a.png\n30,,cat,sub\\a.png\n',
        WIDE,
        WIDE.replace(',', ';'),
        WIDE.replace(',', '\t'),
        'cat,IMAGE,dog\n1,a.png,2\n30,sub/a.png,0\n',
    ],
    ids=[
        'long',
        'semicolon',
        'tab',
        'bom',
        'utf16',
        'other columns',
        'wide',
        'wide semicolon',
        'wide tab',
        'order',
    ],
)
def test_dialects_and_both_layouts_read_the_same(folder, text):
    dataset = read(folder, text, metainfo={'classes': ('cat', 'dog')})
    assert dataset.class_counts().tolist() == [[1, 2], [0, 0], [30, 0]]


def test_one_class_needs_no_class_column(folder):
    assert read(folder, 'image,count\nb.png,7\n').class_counts().tolist() == [[0], [7], [0]]
    assert read(folder, 'image,count\n', allow_empty=True).class_counts().tolist() == [[0], [0], [0]]
    with pytest.raises(AnnotationError, match='no class column, but metainfo has 2 classes'):
        read(folder, 'image,count\nb.png,7\n', metainfo={'classes': ('a', 'b')})


def test_columns_keep_their_order_and_named_classes_choose_among_them(folder):
    assert read(folder, WIDE).metainfo['classes'] == ('dog', 'cat')
    noted = 'image,dog,note,cat\na.png,2,two of them,1\n'
    assert read(folder, noted, metainfo={'classes': ('cat', 'dog')}).class_counts().tolist() == [[1, 2], [0, 0], [0, 0]]
    with pytest.raises(AnnotationError, match=r"line 2: the count of 'note' is 'two of them'"):
        read(folder, noted)


def test_a_list_says_which_images_are_labelled(folder):
    (folder / 'train.txt').write_text('sub/a.png\nb.png\n')
    dataset = read(folder, 'image,count\nb.png,1\n', images='train.txt')
    assert dataset.class_counts().tolist() == [[1], [0]]
    with pytest.raises(AnnotationError, match=r"line 2: image 'a\.png' is not in the list of images"):
        read(folder, 'image,count\na.png,1\n', images='train.txt')


@pytest.mark.parametrize(
    ('text', 'line', 'message'),
    [
        ('', None, 'the file is empty'),
        ('image\na.png\n', 1, 'has no counts; expected image'),
        ('class,count\ncat,1\n', 1, r"lacks \['image'\]; expected image\[,class\],count or image,<class 1>"),
        ('image,count,Count\n', 1, "2 columns for 'count'"),
        ('image,cat,cat\n', 1, "2 columns for class 'cat'"),
        ('image,cat,\n', 1, 'column 3 of the header .* has no name'),
        ('image,count\na.png,two\n', 2, "the count is 'two', expected a whole number"),
        ('image,count\na.png,2.5\n', 2, r"the count is '2\.5', expected a whole number"),
        ('image,count\na.png,-1\n', 2, "the count is '-1', expected a whole number in 0"),
        ('image,count\na.png,nan\n', 2, "the count is 'nan'"),
        ('image,count\na.png,1e400\n', 2, "the count is '1e400'"),
        ('image,count\na.png,1_0\n', 2, "the count is '1_0'"),
        ('image,cat,dog\na.png,,1\n', 2, "the count of 'cat' is '', expected a whole number, write 0"),
        ('image,class,count\na.png,,1\n', 2, 'the class is empty'),
        ('image,count\n,1\n', 2, 'the image name is empty'),
        ('image,count\na.png,1\nb.png\n', 3, '1 columns'),
        ('image,count\na.png,1\n./a.png,1\n', 3, r"image 'a\.png' has a count already on line 2"),
        (LONG + 'a.png,cat,1\n', 5, r"image 'a\.png' has a count of class 'cat' already on line 3"),
        (WIDE + 'b.png,0,0\n', 5, r"image 'b\.png' has a count of class 'dog' already on line 3"),
        ('image,count\nc.png,1\n', 2, r"image 'c\.png' is not below .*did you mean"),
        (b'image,count\n\xff\xfe,1\n', 2, 'not utf-8-sig text'),
    ],
)
def test_a_wrong_table_names_file_and_line(folder, text, line, message):
    with pytest.raises(AnnotationError, match=message) as caught:
        read(folder, text)
    assert caught.value.file == str(folder / 'counts.csv')
    assert caught.value.line == line


def test_unknown_and_missing_classes_name_the_nearest(folder):
    with pytest.raises(AnnotationError, match=r"line 2: class 'dog' is unknown, .*did you mean 'dogs'\?"):
        read(folder, LONG, metainfo={'classes': ('cat', 'dogs')})
    with pytest.raises(AnnotationError, match=r"neither a column count nor one for class 'dogs'; did you mean 'dog'\?"):
        read(folder, WIDE, metainfo={'classes': ('cat', 'dogs')})


def test_missing_files_are_named(folder):
    with pytest.raises(FileNotFoundError, match=r"counts file '.*counts\.csv' does not exist"):
        CountsCSVDataset(data_root=folder)


def test_splits_and_limits_work_from_a_config(folder):
    (folder / 'counts.csv').write_text(LONG)
    config = {'type': 'mmcount.CountsCSVDataset', 'data_root': str(folder), 'split': {'num_train': 1, 'num_test': 1}}
    limited = {'type': 'mmcount.LowerCounts', 'limit': 4}
    totals = [
        DATASETS.build({**limited, 'dataset': {**config, 'subset': subset}}).class_counts().max()
        for subset in ('train', 'val', 'test')
    ]
    assert sorted(totals) == [0, 2, 5]
