from pathlib import Path

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader, _load_checkpoint

from mmcount.engine.checkpoints import load_local, use_safe_checkpoints
from mmcount.utils.safe_load import CheckpointError
from mmcount.zoo import ModelCard, UnknownModelError, catalogue, write_model


@pytest.fixture
def schemes(monkeypatch):
    """Loaders as they were before the test."""
    monkeypatch.setattr(CheckpointLoader, '_schemes', dict(CheckpointLoader._schemes))


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / 'own.safetensors'
    card = ModelCard('own', 'Cells', ('cell',))
    digest = write_model(path, dict(model=dict(type='mmcount.DenseCounter')), {'weight': torch.ones(2)}, card)
    return path, digest


def test_model_files_are_checkpoints(model_file):
    found = load_local(str(model_file[0]))
    assert found['state_dict']['weight'].tolist() == [1, 1]
    assert found['meta']['dataset_meta']['classes'] == ('cell',)


def test_runs_read_checkpoints_without_running_them(tmp_path, schemes):
    torch.save(dict(state_dict={}, extra=Path('code')), tmp_path / 'odd.pth')
    use_safe_checkpoints()
    with pytest.raises(CheckpointError, match='holds pickled objects'):
        _load_checkpoint(str(tmp_path / 'odd.pth'), logger='silent')
    use_safe_checkpoints(trust=True)
    assert _load_checkpoint(str(tmp_path / 'odd.pth'), logger='silent')['extra'] == Path('code')


def test_a_model_that_comes_along_is_a_checkpoint_by_its_name(model_file, monkeypatch):
    path, digest = model_file
    monkeypatch.setattr(catalogue, '_entries', lambda: {'own': dict(file=path.name, sha256=digest)})
    monkeypatch.setattr(catalogue, 'model_path', lambda name: path)
    assert _load_checkpoint('mmcount://own', logger='silent')['state_dict']['weight'].tolist() == [1, 1]
    with pytest.raises(UnknownModelError, match="unknown model 'won'"):
        _load_checkpoint('mmcount://won', logger='silent')
