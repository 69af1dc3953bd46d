import pytest
import torch

from mmcount import zoo
from mmcount.zoo import Figure, ModelCard, catalogue, write_model


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A zoo with one model."""
    path = tmp_path / 'weights' / 'dots.safetensors'
    figures = (Figure('own scenes', 'MAE', 1.5, 'seed 0'),)
    card = ModelCard('dots', 'Dots on paper', ('dot', 'blot'), object_size=(4, 12), good_for='Ink', figures=figures)
    digest = write_model(path, dict(model=dict(type='mmcount.DenseCounter')), {'weight': torch.ones(2)}, card)
    monkeypatch.setattr(catalogue, '_FOLDER', tmp_path)
    monkeypatch.setattr(catalogue, '_entries', lambda: {'dots': dict(file=path.name, sha256=digest)})
    return path, digest


def test_models_are_listed_with_what_they_count(run, shipped):
    result = run('zoo', 'list')
    assert result.exit_code == 0, result.output
    line = ' '.join(result.stdout.splitlines()[1].split())
    assert line.startswith('dots dot, blot 4 to 12 px 0.0 MB Dots on paper')


def test_a_model_and_a_file_of_ones_own_are_shown(run, shipped, tmp_path):
    result = run('zoo', 'show', 'dots')
    assert result.exit_code == 0, result.output
    for text in ('4 to 12 px across', 'good for:     Ink', 'MAE 1.5 on own scenes (seed 0)', str(shipped[0])):
        assert text in result.stdout
    assert run('zoo', 'show', shipped[0]).stdout == result.stdout
    wrong = run('zoo', 'show', 'dost')
    assert wrong.exit_code == 2
    assert "did you mean 'dots'?" in wrong.stderr


def test_a_changed_file_is_found(run, shipped):
    path, digest = shipped
    assert run('zoo', 'verify').stdout.strip() == f'dots: OK, SHA-256 {digest}'
    path.write_bytes(path.read_bytes() + b'x')
    result = run('zoo', 'verify', 'dots')
    assert result.exit_code == 2
    assert 'is not the expected file' in result.stderr


def test_all_models_of_the_package_are_whole():
    for name in zoo.model_names():
        assert zoo.load(name).card.classes
