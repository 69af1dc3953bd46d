import gc

import pytest


@pytest.fixture(scope='session', autouse=True)
def modules_out_of_garbage_collection():
    """MMEngine collects garbage for each data set it makes, which walks through all that is imported."""
    gc.freeze()
    yield
    gc.unfreeze()
