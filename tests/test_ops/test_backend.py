"""Loading of the compiled kernels: found, absent, broken or switched off, and never built on import."""

import logging
import os
import subprocess
import sys

import pytest
import torch

from mmcount.ops import _backend
from mmcount.ops.schema import register_op


@pytest.fixture
def fresh_state():
    """Forget what was loaded, before and after."""
    _backend.load_extensions.cache_clear()
    yield
    _backend.load_extensions.cache_clear()


def test_switched_off_means_reference(fresh_state, monkeypatch, caplog):
    monkeypatch.setenv('MMCOUNT_DISABLE_EXT', '1')
    with caplog.at_level(logging.INFO, logger='mmcount.ops._backend'):
        assert _backend.load_extensions() == {'cpu': 'disabled', 'cuda': 'disabled'}
        _backend.load_extensions()
    assert [record.levelname for record in caplog.records] == ['INFO']
    assert 'Python reference (disabled)' in caplog.text
    assert not _backend.is_compiled('cpu')


def test_absent_library_means_reference(fresh_state, monkeypatch, tmp_path):
    monkeypatch.delenv('MMCOUNT_DISABLE_EXT', raising=False)
    monkeypatch.setenv('MMCOUNT_EXT_DIR', str(tmp_path))
    assert _backend.load_extensions()['cpu'] == 'absent'


def test_broken_library_warns_and_means_reference(fresh_state, monkeypatch, tmp_path, caplog):
    monkeypatch.delenv('MMCOUNT_DISABLE_EXT', raising=False)
    (tmp_path / '_C.so').write_bytes(b'not a library')
    monkeypatch.setenv('MMCOUNT_EXT_DIR', str(tmp_path))
    assert _backend.load_extensions()['cpu'].startswith('broken: ')
    assert any(record.levelname == 'WARNING' and '_C.so' in record.getMessage() for record in caplog.records)


def test_unknown_device_type_is_an_error():
    with pytest.raises(ValueError, match="'tpu'"):
        _backend.is_compiled('tpu')


def test_import_without_library_compiles_nothing_and_works(tmp_path):
    code = (
        'import subprocess\n'
        'def refuse(*args, **kwargs): raise AssertionError(args)\n'
        'subprocess.Popen = subprocess.run = refuse\n'
        'import torch, mmcount.ops as ops\n'
        'x = torch.zeros(1, 1, 4, 4)\n'
        'assert not ops.is_compiled("cpu")\n'
        'assert ops.find_peaks(x, 1)[0].tolist() == [[0, 0, 0, 0]]\n'
        'assert ops.peak_stimulation(x).counts.tolist() == [[1]]\n'
    )
    env = {**os.environ, 'MMCOUNT_DISABLE_EXT': '1'}
    subprocess.run([sys.executable, '-c', code], check=True, env=env)


def test_every_op_is_registered_under_one_name():
    names = ['find_peaks', 'find_peaks_topk', 'peak_stimulation', 'peak_stimulation_backward', 'topk_peak_mask']
    for name in names:
        assert getattr(torch.ops.mmcount, name).default.namespace == 'mmcount'


def test_declaring_an_op_again_changes_nothing_but_another_schema_is_an_error():
    schema = 'topk_peak_mask(Tensor x, Tensor mask, Tensor counts, int? limit) -> Tensor'
    before = torch.ops.mmcount.topk_peak_mask.default
    register_op(schema, reference=len, fake=len)
    assert torch.ops.mmcount.topk_peak_mask.default is before
    with pytest.raises(ValueError, match='declared already'):
        register_op('topk_peak_mask(Tensor x) -> Tensor', reference=len, fake=len)
