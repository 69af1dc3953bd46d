import hashlib

import pytest
import torch

from mmcount.apis import CountInferencer
from mmcount.apis.weights import checkpoint_config, file_sha256, local_weights


def test_weights_of_a_url_are_downloaded_once_and_verified(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    source = tmp_path / 'model.pth'
    torch.save(dict(a=1), source)
    digest = file_sha256(source)
    assert digest == hashlib.sha256(source.read_bytes()).hexdigest()
    right = source.rename(tmp_path / f'model-{digest[:8]}.pth')
    file = local_weights(right.as_uri())
    assert file.read_bytes() == right.read_bytes()
    right.unlink()
    assert local_weights(right.as_uri()) == file
    wrong = tmp_path / 'model-00000000.pth'
    wrong.write_bytes(b'other')
    with pytest.raises(RuntimeError, match='invalid hash value'):
        local_weights(wrong.as_uri())


def test_weights_of_other_places_are_refused(tmp_path):
    with pytest.raises(ValueError, match='expected a file or a URL of http, https or file, got s3'):
        local_weights('s3://bucket/model.pth')
    with pytest.raises(FileNotFoundError, match=r"weights not found: '.*none\.pth'"):
        local_weights(tmp_path / 'none.pth')


def test_weights_without_a_config_ask_for_one():
    with pytest.raises(ValueError, match=r'w\.pth holds no config'):
        checkpoint_config(dict(meta={}), 'w.pth')


def test_a_config_in_weights_runs_nothing(counter_files, tmp_path):
    content = torch.load(counter_files[1], weights_only=True)
    for number, (old, new) in enumerate(
        [
            ('default_scope =', "import os\nos.system('exit 1')\ndefault_scope ="),
            ("type='mmcount.DenseCounter'", "type='os.system', command='exit 1'"),
        ]
    ):
        text = content['meta']['cfg']
        assert old in text
        path = tmp_path / f'{number}.pth'
        torch.save(dict(content, meta=dict(cfg=text.replace(old, new))), path)
        with pytest.raises(ValueError, match='if you trust its source, name its config file'):
            CountInferencer(path, device='cpu')
