import pytest


@pytest.fixture(scope='module', autouse=True)
def configs_without_layout():
    """MMEngine lays a config out anew for the log, the checkpoints and the pictures of a run: seconds of each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **_: (text, False))
        yield
