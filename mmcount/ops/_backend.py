"""Find and load the compiled kernels, if there are any.

Two shared libraries may sit next to this file: ``_C.so`` (CPU) and ``_C_cuda.so`` (CUDA). Nothing here compiles them;
see ``mmcount.ops.build``. An op without a compiled kernel for a device runs its Python reference there.

Environment:
    MMCOUNT_DISABLE_EXT: ``1`` ignores both libraries.
    MMCOUNT_EXT_DIR: folder to look for them in, instead of the package's own.
"""

import logging
import os
from functools import cache
from pathlib import Path

import torch

logger = logging.getLogger(__name__)


def _extension_dir() -> Path:
    return Path(os.environ.get('MMCOUNT_EXT_DIR') or Path(__file__).parent)


def _load(path: Path) -> str:
    """Load one library and say how that went: ``compiled``, ``absent`` or ``broken: reason``."""
    if not path.is_file():
        return 'absent'
    try:
        torch.ops.load_library(str(path))
    except OSError as error:  # built for another libtorch: work without it, but never silently
        logger.warning('cannot load %s (%s); its ops run their Python reference', path, error)
        return f'broken: {error}'
    return 'compiled'


@cache
def load_extensions() -> dict[str, str]:
    """Load the compiled kernels once per process.

    Returns:
        State per device type (``cpu``, ``cuda``): ``compiled``, ``absent``, ``disabled`` or ``broken: reason``.
    """
    if os.environ.get('MMCOUNT_DISABLE_EXT') == '1':
        states = {'cpu': 'disabled', 'cuda': 'disabled'}
    else:
        folder = _extension_dir()
        states = {'cpu': _load(folder / '_C.so'), 'cuda': 'absent'}
        if torch.version.cuda is not None:
            states['cuda'] = _load(folder / '_C_cuda.so')
    paths = ', '.join(
        f'{device}: {"compiled kernels" if state == "compiled" else f"Python reference ({state})"}'
        for device, state in states.items()
    )
    logger.info('mmcount.ops runs on %s', paths)
    return states


def is_compiled(device_type: str = 'cpu') -> bool:
    """Whether compiled kernels serve a device type.

    Args:
        device_type: ``cpu`` or ``cuda``.

    Raises:
        ValueError: Any other device type.
    """
    states = load_extensions()
    if device_type not in states:
        raise ValueError(f'device_type must be one of {sorted(states)}, got {device_type!r}')
    return states[device_type] == 'compiled'
