"""Build script of mmcount.

The package is pure Python with an optional compiled part. Two things here are not ordinary:

* ``mmcount/.mim`` holds ``configs/``, ``tools/`` and ``model-index.yml``, where MMEngine's hub looks for them. A
  wheel or sdist carries copies; an editable install carries symbolic links, so that edits are seen at once.
* The compiled operators are plain shared libraries on the stable ABI of LibTorch. They hold no Python code and are
  loaded with ``torch.ops.load_library``. ``MMCOUNT_WITH_OPS`` decides: ``auto`` (default) builds them where torch and
  a compiler are there and goes on without them otherwise, ``0`` never builds, ``1`` fails when they cannot be built.
"""

import os
import runpy
import shutil
import sys
import warnings
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
MIM_ENTRIES = ('configs', 'tools', 'model-index.yml')

EXTRAS = {
    'onedl': ['torch>=2.10,<2.14', 'onedl-mmengine>=0.10.10', 'onedl-mmdetection>=3.5.0,<4'],
    'openmmlab': ['torch>=2.10,<2.14', 'mmengine>=0.11.0rc3,<1.0', 'mmdet>=3.3.0,<4'],
    'mim': ['mmengine>=0.10.4,<1.0', 'mmcv>=2.1.0,<2.2.0', 'mmdet>=3.3.0,<4'],
}


def parse_requirements(path: Path) -> list[str]:
    """Requirement lines of a file, without comments, blank lines and options."""
    lines = (line.split('#', 1)[0].strip() for line in path.read_text(encoding='utf-8').splitlines())
    return [line for line in lines if line and not line.startswith('-')]


def mim_mode(argv: list[str]) -> str | None:
    """How ``mmcount/.mim`` is to be filled for the commands in ``argv``: ``'copy'``, ``'symlink'`` or not at all.

    pip builds an editable install with the command ``editable_wheel``; ``develop`` is its ancestor.
    """
    if {'develop', 'editable_wheel'} & set(argv):
        return 'symlink'
    if {'sdist', 'bdist_wheel'} & set(argv):
        return 'copy'
    return None


def clear_mim(folder: Path) -> None:
    """Remove what ``fill_mim`` put into ``folder``; links are removed, never followed."""
    for name in MIM_ENTRIES:
        target = folder / name
        if target.is_symlink() or target.is_file():
            target.unlink()
        elif target.is_dir():
            shutil.rmtree(target)


def fill_mim(root: Path, mode: str) -> None:
    """Fill ``mmcount/.mim`` under ``root`` with links to, or copies of, the files that the hub needs.

    Links are relative, so that a moved checkout keeps working. Where the system allows no links, files are copied.

    Args:
        root: The folder of ``setup.py``.
        mode: ``'symlink'`` or ``'copy'``.
    """
    folder = root / 'mmcount' / '.mim'
    folder.mkdir(parents=True, exist_ok=True)
    clear_mim(folder)
    for name in MIM_ENTRIES:
        source, target = root / name, folder / name
        if not source.exists():
            continue
        if mode == 'symlink':
            try:
                target.symlink_to(os.path.relpath(source, folder))
                continue
            except OSError as error:
                warnings.warn(f'no symbolic link for {target} ({error}): copying instead', stacklevel=2)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
        else:
            shutil.copyfile(source, target)


def has_links(folder: Path) -> bool:
    """Whether an editable install left links in ``folder``, which a wheel build has to put back."""
    return any((folder / name).is_symlink() for name in MIM_ENTRIES)


def ops_wanted() -> str:
    """The value of ``MMCOUNT_WITH_OPS``: ``'auto'``, ``'0'`` or ``'1'``."""
    value = os.environ.get('MMCOUNT_WITH_OPS', 'auto').lower()
    if value not in ('auto', '0', '1'):
        raise SystemExit(f'MMCOUNT_WITH_OPS is {value!r}; expected auto, 0 or 1.')
    return value


def skip_or_fail(reason: str) -> None:
    """Go on without compiled operators, or stop where they were demanded."""
    if ops_wanted() == '1':
        raise SystemExit(f'MMCOUNT_WITH_OPS=1, but {reason}.')
    warnings.warn(f'mmcount is built without compiled operators: {reason}. The Python ones are used.', stacklevel=2)


def import_torch():
    """Torch, or None where it is not installed: it is no build requirement, an isolated build would download it."""
    try:
        import torch
    except Exception as error:  # a broken install raises OSError and others
        skip_or_fail(f'torch cannot be imported here ({error}); use --no-build-isolation where it is installed')
        return None
    return torch


def find_nvcc(torch) -> str | None:
    """The CUDA compiler, where torch is built with CUDA or ``FORCE_CUDA=1`` asks for a compile check."""
    if not (torch.version.cuda or os.environ.get('FORCE_CUDA') == '1'):
        return None
    homes = (os.environ.get('CUDA_HOME'), os.environ.get('CUDA_PATH'), '/usr/local/cuda')
    beside = (shutil.which('nvcc', path=os.path.join(home, 'bin')) for home in homes if home)
    return next((path for path in (*beside, shutil.which('nvcc')) if path), None)


def cuda_architectures(torch, default: tuple[str, ...]) -> tuple[str, ...]:
    """Compute capabilities without the dot: of ``TORCH_CUDA_ARCH_LIST``, else of the GPU at hand, else ``default``."""
    listed = os.environ.get('TORCH_CUDA_ARCH_LIST', '').replace(';', ' ').replace('+PTX', '').replace('.', '').split()
    if not listed and torch.cuda.is_available():
        listed = ['{}{}'.format(*torch.cuda.get_device_capability())]
    return tuple(listed) or default


def ops_extensions() -> list[Extension]:
    """The compiled libraries that can be built here, possibly none; each knows the command that builds it."""
    recipe = runpy.run_path(str(ROOT / 'mmcount' / 'ops' / 'build.py'), run_name='mmcount_ops_build')
    cpu, cuda = recipe['cpu_sources'](), recipe['cuda_sources']()
    if ops_wanted() == '0' or not (cpu or cuda):
        return []
    if sys.platform == 'win32':
        skip_or_fail('building them on Windows is not supported')
        return []
    torch = import_torch()
    if torch is None:
        return []
    extensions = []
    if cpu:
        extension = Extension('mmcount.ops._C', relative(cpu), language='c++')
        extension.build = lambda output: recipe['run'](recipe['cpu_command'](output=output))
        extensions.append(extension)
    nvcc = find_nvcc(torch) if cuda else None
    if nvcc:
        archs = cuda_architectures(torch, recipe['CUDA_ARCHITECTURES'])
        extension = Extension('mmcount.ops._C_cuda', relative(cuda))
        extension.build = lambda output: recipe['run'](
            recipe['cuda_command'](output=output, nvcc=nvcc, architectures=archs)
        )
        extensions.append(extension)
    return extensions


def relative(paths: list[Path]) -> list[str]:
    """Paths as setuptools wants its sources: from the folder of ``setup.py``, with forward slashes."""
    return [path.relative_to(ROOT).as_posix() for path in paths]


class BuildOps(build_ext):
    """Builds the libraries under their plain names (``_C.so``), and survives their failure in ``auto`` mode."""

    def get_ext_filename(self, fullname: str) -> str:
        """``mmcount/ops/_C.so``: nothing in the file depends on the Python version."""
        return os.path.join(*fullname.split('.')) + '.so'

    def build_extensions(self) -> None:
        """Build each library; drop the ones that fail, unless operators were demanded."""
        for ext in list(self.extensions):
            output = Path(self.get_ext_fullpath(ext.name)).resolve()
            output.parent.mkdir(parents=True, exist_ok=True)
            try:
                ext.build(output)
            except Exception as error:
                if ops_wanted() == '1':
                    raise
                self.extensions.remove(ext)
                skip_or_fail(f'{ext.name} does not build ({error})')


def main() -> None:
    """Declare the package."""
    os.chdir(ROOT)
    mode = mim_mode(sys.argv)
    mim = ROOT / 'mmcount' / '.mim'
    was_linked = has_links(mim)
    building = {'bdist_wheel', 'editable_wheel', 'develop', 'build', 'build_ext', 'install'} & set(sys.argv)
    extensions = ops_extensions() if building else []
    tests = parse_requirements(ROOT / 'requirements' / 'tests.txt')
    if mode:
        fill_mim(ROOT, mode)
    try:
        setup(
            name='mmcount',
            version=runpy.run_path(str(ROOT / 'mmcount' / 'version.py'))['__version__'],
            description='Count objects in images, and say where they are, with OpenMMLab',
            long_description=(ROOT / 'README.md').read_text(encoding='utf-8') if (ROOT / 'README.md').exists() else '',
            long_description_content_type='text/markdown',
            license='Apache-2.0',
            keywords='object counting, crowd counting, density estimation, object detection',
            packages=find_packages(include=['mmcount', 'mmcount.*']),
            # An explicit root makes an editable install a plain path entry, which tools and MMEngine understand; in a
            # wheel it would leave out the package data.
            package_dir={'': '.'} if mode == 'symlink' else {},
            include_package_data=True,
            python_requires='>=3.10',
            install_requires=parse_requirements(ROOT / 'requirements' / 'runtime.txt'),
            extras_require={**EXTRAS, 'tests': tests},
            entry_points={'console_scripts': ['mmcount = mmcount.cli.main:main']},
            ext_modules=extensions,
            cmdclass={'build_ext': BuildOps},
            options={'bdist_wheel': {'py_limited_api': 'cp310'}} if extensions else {},
            classifiers=[
                'Development Status :: 4 - Beta',
                'Intended Audience :: Science/Research',
                'Programming Language :: Python :: 3',
                'Programming Language :: Python :: 3 :: Only',
                'Topic :: Scientific/Engineering :: Image Recognition',
            ],
            zip_safe=False,
        )
    finally:
        # Copies beside the sources would go stale; a wheel or sdist already holds them.
        if mode == 'copy':
            clear_mim(mim)
            if was_linked:
                fill_mim(ROOT, 'symlink')


if __name__ == '__main__':
    main()
