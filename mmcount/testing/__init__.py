"""Helpers for tests and benchmarks of counters."""

import os
from pathlib import Path

__all__ = ['data_root']


def data_root(name: str) -> Path | None:
    """Folder of a real data set, or None where it is not on this machine.

    Looked up under the environment variable ``MMCOUNT_DATA_ROOT``, or else in ``../shared/data`` beside the
    checkout. Tests skip and benchmarks say so when the answer is None.

    Args:
        name: Sub-folder, such as ``vgg_cells``.
    """
    default = Path(__file__).resolve().parents[3] / 'shared' / 'data'
    folder = Path(os.environ.get('MMCOUNT_DATA_ROOT', default)) / name
    return folder if folder.is_dir() else None
