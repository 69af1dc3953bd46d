"""Fixtures of all tests."""

import gc
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.crowd_trees import Trees
from tests.tiny_models import COUNTER, DETECTOR, TRAINING, save_model


@pytest.fixture(scope='session', autouse=True)
def modules_out_of_garbage_collection():
    """MMEngine collects garbage for each data set it makes, which walks through all that is imported."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def tiny_config(tmp_path: Path) -> Path:
    """The file of a config that trains for seconds."""
    path = tmp_path / 'tiny.py'
    path.write_text(TRAINING)
    return path


@pytest.fixture(scope='session')
def counter_files(tmp_path_factory):
    """Config and weights of a counter."""
    return save_model(
        tmp_path_factory.mktemp('counter'), 'tiny-counter', COUNTER, dict(dataset_meta=dict(classes=('cell',)))
    )


@pytest.fixture(scope='session')
def detector_files(tmp_path_factory):
    """Config and weights of a detector of two classes, which knows no more than five boxes."""
    import mmdet.models  # noqa: F401

    return save_model(tmp_path_factory.mktemp('detector'), 'tiny-detector', DETECTOR, {})


@pytest.fixture
def photos(tmp_path):
    """Three pictures of which two have one name, a file that is none, and a text."""
    folder = tmp_path / 'photos'
    rng = np.random.default_rng(0)
    for name, shape in (('b.png', (20, 30)), ('x/a.jpg', (24, 24)), ('y/a.jpg', (16, 40))):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
    (folder / 'x' / 'broken.png').write_bytes(b'no picture')
    (folder / 'notes.txt').write_text('not an image')
    return folder


@pytest.fixture
def trees(tmp_path):
    """Writers of the original layouts of the crowd data sets."""
    return Trees(tmp_path)
