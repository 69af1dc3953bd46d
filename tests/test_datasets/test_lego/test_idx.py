import gzip
import struct

import numpy as np
import pytest

from mmcount.datasets.lego.idx import find_idx_file, read_idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
GOOD = struct.pack('>4B3I', 0, 0, 8, 3, 2, 3, 4) + IMAGES.tobytes()


@pytest.mark.parametrize('name', ['images-idx3-ubyte', 'images-idx3-ubyte.gz'])
def test_plain_and_gzipped_files_read_the_same(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(GOOD) if name.endswith('.gz') else GOOD)
    np.testing.assert_array_equal(read_idx(path, ndim=3), IMAGES)


def test_file_without_items_is_an_empty_array(tmp_path):
    path = tmp_path / 'labels'
    path.write_bytes(struct.pack('>4BI', 0, 0, 8, 1, 0))
    assert read_idx(path, ndim=1).shape == (0,)


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (b'', 'magic number is missing'),
        (b'\x89PNG' + GOOD[4:], 'magic number is 89504e47, expected 00000803'),
        (struct.pack('>4BI', 0, 0, 8, 1, 0), 'magic number is 00000801'),
        (struct.pack('>4B3I', 0, 0, 13, 3, 2, 3, 4) + IMAGES.tobytes(), 'magic number is 00000d03'),
        (GOOD[:10], 'truncated header of 10 bytes'),
        (GOOD[:-1], 'truncated, 23 bytes of data, expected 24'),
        (GOOD + b'x', 'more data than the 24 bytes'),
        (struct.pack('>4B3I', 0, 0, 8, 3, 2**31, 2**31, 28), 'more than the limit'),
    ],
)
def test_damaged_file_is_refused_by_name(tmp_path, data, message):
    path = tmp_path / 'broken-idx3-ubyte'
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f'broken-idx3-ubyte.*{message}'):
        read_idx(path, ndim=3)


@pytest.mark.parametrize(
    'data',
    [gzip.compress(GOOD)[:-10], b'not gzip at all', gzip.compress(GOOD)[:10] + b'\xff' * 40],
    ids=['truncated', 'not gzip', 'invalid block'],
)
def test_damaged_gzip_stream_is_refused_by_name(tmp_path, data):
    path = tmp_path / 'broken.gz'
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'broken\.gz: damaged or truncated gzip'):
        read_idx(path, ndim=3)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nothing-here'):
        read_idx(tmp_path / 'nothing-here', ndim=1)
    with pytest.raises(FileNotFoundError, match='train-labels-idx1-ubyte'):
        find_idx_file(tmp_path, 'train-labels-idx1-ubyte')


@pytest.mark.parametrize('name', ['t10k-images-idx3-ubyte', 't10k-images.idx3-ubyte', 't10k-images-idx3-ubyte.gz'])
def test_usual_spellings_are_found(tmp_path, name):
    (tmp_path / name).touch()
    assert find_idx_file(tmp_path, 't10k-images-idx3-ubyte') == tmp_path / name
