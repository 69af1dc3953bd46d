import pytest
import torch

from mmcount.utils.file_kinds import not_weights
from mmcount.utils.safe_load import CheckpointError, read_checkpoint
from mmcount.zoo import ModelCard, ModelFileError, read_card, read_model, write_model

POINTER = b'version https://git-lfs.github.com/spec/v1\noid sha256:' + b'0' * 64 + b'\nsize 123\n'
PAGES = (
    b'<!DOCTYPE html><html><body>Sign in</body></html>',
    b'\xef\xbb\xbf\n <html lang="en">',
    b'<?xml version="1.0"?>',
)


@pytest.mark.parametrize(
    ('content', 'message'),
    [(b'', 'is empty'), (POINTER, 'Git LFS pointer'), *((page, 'HTML or XML page') for page in PAGES)],
)
def test_files_in_place_of_weights_are_told_in_one_line_by_every_reader(tmp_path, content, message):
    for reader, suffix, error in (
        (read_checkpoint, '.pth', CheckpointError),
        (read_model, '.safetensors', ModelFileError),
        (read_card, '.safetensors', ModelFileError),
    ):
        path = tmp_path / f'w{suffix}'
        path.write_bytes(content)
        with pytest.raises(error, match=message) as caught:
            reader(path)
        assert str(path) in str(caught.value)
        assert '\n' not in str(caught.value)


@pytest.mark.parametrize('share', [0.1, 0.5, 0.99])
def test_a_checkpoint_that_is_cut_off_is_told(tmp_path, share):
    path = tmp_path / 'w.pth'
    torch.save(dict(state_dict={'weight': torch.rand(1000)}), path)
    assert not_weights(path) is None
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r'w\.pth is no checkpoint: it is cut off'):
        read_checkpoint(path)


def test_a_model_file_that_is_cut_off_is_told(tmp_path):
    path = tmp_path / 'w.safetensors'
    write_model(path, dict(model=dict(type='A')), {'weight': torch.ones(100)}, ModelCard('own', 'Cells', ('cell',)))
    content = path.read_bytes()
    for length in (4, 40, len(content) - 10):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match=r'w\.safetensors is (cut off|no safetensors file)'):
            read_model(path)


def test_the_advice_of_pytorch_to_unpickle_is_not_passed_on(tmp_path):
    path = tmp_path / 'w.pth'
    path.write_bytes(b'hello, these are no weights')
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert 'weights_only' not in str(caught.value)
