"""What the tests of crowd data sets share."""

import pytest


@pytest.fixture
def warnings_of(monkeypatch):
    """What data sets warn of."""
    found = []
    monkeypatch.setattr(
        'mmcount.datasets.crowd.crowd_dataset.print_log', lambda message, **kwargs: found.append(message)
    )
    return found
