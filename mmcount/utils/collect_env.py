"""A report of the environment, to read when something is wrong and to paste into an issue.

Run ``python -m mmcount.utils.collect_env``.
"""

import os
import platform
import shutil
import sys
from importlib import import_module, metadata

import mmcount

from .versions import family_warning, installed_versions, range_warnings

__all__ = ['collect_env']

LIBRARIES = ('numpy', 'scipy', 'scikit-learn', 'opencv-python', 'opencv-python-headless', 'matplotlib')


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return 'not installed'


def _torch_lines() -> dict[str, str]:
    try:
        import torch
    except Exception as error:  # a broken install is what the report is for
        return {'torch': f'cannot be imported: {error}'}
    lines = {'torch': str(torch.__version__), 'torch threads': str(torch.get_num_threads())}
    lines['CUDA of torch'] = torch.version.cuda or 'none'
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    lines['GPUs'] = ', '.join(torch.cuda.get_device_name(i) for i in range(count)) or 'none'
    return lines


def _mmcv_ops() -> str:
    try:
        import_module('mmcv.ops')
    except Exception as error:
        return f'missing: {error}. mmdet models need them; run `bash tools/setup_env.sh`'
    return 'present'


def _mmcount_ops() -> str:
    try:
        states = import_module('mmcount.ops._backend').load_extensions()
    except Exception as error:
        return f'cannot be imported: {error}'
    return ', '.join(f'{device} {state}' for device, state in states.items()) + '; Python ones fill the gaps'


def collect_env() -> dict[str, str]:
    """Facts about this environment, in reading order.

    Returns:
        Readable values by name: platform, versions of the stack, devices, compiled operators and problems found.
    """
    installed = installed_versions()
    facts = {
        'mmcount': f'{mmcount.__version__} at {os.path.dirname(mmcount.__file__)}',
        'Python': f'{platform.python_version()} at {sys.executable}',
        'platform': platform.platform(),
        'CPUs': str(os.cpu_count()),
        **installed,
        **{name: _version(name) for name in LIBRARIES},
        **_torch_lines(),
        'compilers': ', '.join(name for name in ('g++', 'c++', 'clang++', 'nvcc') if shutil.which(name)) or 'none',
        'mmcv operators': _mmcv_ops(),
        'mmcount operators': _mmcount_ops(),
    }
    doubled = family_warning(installed)
    problems = range_warnings(installed) + ([doubled] if doubled else [])
    facts['problems'] = ' '.join(problems) or 'none found'
    return facts


def main() -> None:
    """Print the report."""
    facts = collect_env()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f'{name:<{width}}  {value}')


if __name__ == '__main__':
    main()
