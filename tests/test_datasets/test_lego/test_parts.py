import builtins
import gzip
import struct

import numpy as np
import pytest

from benchmarks.real_data import data_root
from mmcount.datasets.lego import parts as parts_module
from mmcount.datasets.lego.idx import find_idx_file, read_idx
from mmcount.datasets.lego.parts import SPLITS, DigitParts, load_parts


def write_mnist(folder, labels, prefix='train', images=None):
    """Write idx files whose image ``i`` holds one pixel of ink of value ``100 + i``."""
    labels = np.asarray(labels, dtype=np.uint8)
    if images is None:
        images = np.zeros((len(labels), 6, 6), dtype=np.uint8)
        images[:, 2, 3] = 100 + np.arange(len(labels))
    (folder / f'{prefix}-images-idx3-ubyte').write_bytes(
        struct.pack('>4B3I', 0, 0, 8, 3, *images.shape) + images.tobytes()
    )
    payload = struct.pack('>4BI', 0, 0, 8, 1, len(labels)) + labels.tobytes()
    (folder / f'{prefix}-labels-idx1-ubyte.gz').write_bytes(gzip.compress(payload))


def test_sklearn_splits_cover_all_digits_and_are_disjoint():
    from sklearn.datasets import load_digits

    splits = [load_parts('sklearn', split) for split in SPLITS]
    assert [len(part) for part in splits] == [1297, 250, 250]
    together = np.concatenate([part.images for part in splits]).reshape(1797, -1)
    expected = np.minimum(load_digits().data * 16, 255)
    np.testing.assert_array_equal(together, expected)


def test_ink_boxes_are_tight():
    part = load_parts('sklearn', 'test')
    for image, (x1, y1, x2, y2) in zip(part.images, part.ink_boxes, strict=True):
        ys, xs = np.nonzero(image >= 24)
        assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (x1, y1, x2, y2)


def test_index_by_digit_points_at_its_digit():
    part = load_parts('sklearn', 'val')
    assert sum(map(len, part.by_digit)) == len(part)
    for digit, indices in enumerate(part.by_digit):
        assert (part.labels[indices] == digit).all()


def test_mnist_folder_gives_disjoint_train_val_and_test(tmp_path):
    write_mnist(tmp_path, list(range(10)) * 6)
    write_mnist(tmp_path, range(10), prefix='t10k')
    values = [set(load_parts(str(tmp_path), split).images.max(axis=(1, 2)).tolist()) for split in SPLITS]
    assert values == [set(range(100, 150)), set(range(150, 160)), set(range(100, 110))]


def test_folder_or_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no_such_folder'):
        load_parts(str(tmp_path / 'no_such_folder'), 'train')
    with pytest.raises(FileNotFoundError, match='train-images-idx3-ubyte'):
        load_parts(str(tmp_path), 'train')


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match="'train', 'val', 'test'"):
        load_parts('sklearn', 'valid')


def test_label_that_is_no_digit_is_named(tmp_path):
    write_mnist(tmp_path, [*range(10), 11], prefix='t10k')
    with pytest.raises(ValueError, match=r't10k-images.*label 11 of image 10'):
        load_parts(str(tmp_path), 'test')


def test_different_numbers_of_images_and_labels_are_refused(tmp_path):
    write_mnist(tmp_path, range(10), prefix='t10k', images=np.full((9, 6, 6), 255, dtype=np.uint8))
    with pytest.raises(ValueError, match='9 images but 10 labels'):
        load_parts(str(tmp_path), 'test')


def test_absent_digit_and_blank_image_are_refused():
    images = np.full((10, 4, 4), 255, dtype=np.uint8)
    with pytest.raises(ValueError, match='none of digit 9'):
        DigitParts.from_arrays(images[:9], np.arange(9), 'here')
    images[3] = 0
    with pytest.raises(ValueError, match='here: image 3 holds no ink'):
        DigitParts.from_arrays(images, np.arange(10), 'here')


def test_missing_scikit_learn_is_explained(monkeypatch):
    real_import = builtins.__import__

    def no_sklearn(name, *args, **kwargs):
        if name.startswith('sklearn'):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', no_sklearn)
    with pytest.raises(ImportError, match='pip install scikit-learn'):
        parts_module._load_sklearn('train')


@pytest.mark.skipif(data_root('mnist') is None, reason='needs the MNIST idx files in folder mnist of the data root')
def test_real_mnist_reads():
    folder = data_root('mnist')
    labels = read_idx(find_idx_file(folder, 'train-labels-idx1-ubyte'), ndim=1)
    train, val, test = (load_parts(str(folder), split) for split in SPLITS)
    np.testing.assert_array_equal(np.concatenate([train.labels, val.labels]), labels)
    assert len(train) == len(labels) * 5 // 6
    for part in (train, val, test):
        assert part.images.shape == (len(part), 28, 28)
        # Ink of MNIST digits is fitted into 20x20 pixels.
        assert (part.ink_boxes[:, 2:] - part.ink_boxes[:, :2]).max() == 20
