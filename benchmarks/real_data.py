"""Where the data sets are that some benchmarks and tests can use."""

import os
from pathlib import Path


def data_root(name: str) -> Path | None:
    """Folder of a real data set, or None if it is not on this machine.

    It is looked for under the environment variable ``MMCOUNT_DATA_ROOT``, or else in ``../shared/data`` beside the
    checkout. Tests skip and benchmarks say so if the answer is None.

    Args:
        name: Sub-folder, such as ``vgg_cells``.
    """
    default = Path(__file__).resolve().parents[2] / 'shared' / 'data'
    folder = Path(os.environ.get('MMCOUNT_DATA_ROOT', default)) / name
    return folder if folder.is_dir() else None
