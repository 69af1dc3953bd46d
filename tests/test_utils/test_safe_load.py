import os

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub

from mmcount.engine.hooks.random_state_hook import get_random_state
from mmcount.utils.safe_load import read_checkpoint


class Runs:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def save(path, **others):
    torch.save(dict(state_dict={'weight': torch.ones(2)}, **others), path)
    return path


def test_what_runs_store_beside_the_weights_is_read(tmp_path):
    hub = MessageHub.get_instance(str(tmp_path))
    hub.update_scalar('train/loss', 1.5)
    hub.update_scalar('train/time', np.float32(2))
    hub.update_info('epoch', 3)
    schedulers = [dict(base_values=[0.1], last_step=np.float64(3), counts=np.arange(3))]
    path = save(
        tmp_path / 'a.pth', message_hub=hub.state_dict(), random_state=get_random_state(), param_schedulers=schedulers
    )
    found = read_checkpoint(path)
    assert found['message_hub']['log_scalars']['train/loss'].mean() == 1.5
    assert found['message_hub']['runtime_info']['epoch'] == 3
    assert found['param_schedulers'][0]['counts'].tolist() == [0, 1, 2]
    assert found['state_dict']['weight'].tolist() == [1, 1]


@pytest.mark.parametrize(
    ('function', 'args'),
    [
        (os.system, ('exit 1',)),
        (eval, ('1',)),
        (getattr, (HistoryBuffer, '__init__')),
        (getattr, ('text', 'format')),
    ],
)
def test_code_in_a_checkpoint_is_refused_and_named(tmp_path, function, args):
    path = save(tmp_path / 'evil.pth', extra=Runs(function, *args))
    with pytest.raises(ValueError, match=r'evil\.pth holds pickled objects \(.*trust_checkpoint=True'):
        read_checkpoint(path)


def test_a_trusted_checkpoint_is_unpickled(tmp_path):
    path = save(tmp_path / 'mine.pth', extra=Runs(len, 'four'))
    assert read_checkpoint(path, trust=True)['extra'] == 4


@pytest.mark.parametrize('content', [b'', b'hello', b'PK\x03\x04 cut off'])
def test_files_that_are_no_checkpoint_are_named(tmp_path, content):
    path = tmp_path / 'a.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.pth is no checkpoint'):
        read_checkpoint(path)


def test_a_missing_file_and_a_bare_tensor_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='weights not found'):
        read_checkpoint(tmp_path / 'none.pth')
    torch.save(torch.ones(1), tmp_path / 'one.pth')
    with pytest.raises(ValueError, match='expected a dict with the weights, found Tensor'):
        read_checkpoint(tmp_path / 'one.pth')
