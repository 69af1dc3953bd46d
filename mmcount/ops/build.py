"""Compile the kernels in place: ``python -m mmcount.ops.build [--cuda]``.

The commands are plain functions of paths, and neither they nor importing this module imports torch, so ``setup.py``
can use them. The kernels use only LibTorch's stable ABI: a library built against one torch (2.10 or newer) loads in
later ones.
"""

import argparse
import importlib.util
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

OPS_DIR = Path(__file__).resolve().parent
TARGET_VERSION = '0x020a000000000000'  # torch 2.10, the oldest libtorch the binary accepts
CUDA_ARCHITECTURES = ('75', '80', '86', '89', '90', '100', '120')


def torch_dir() -> Path:
    """Folder of the installed torch package, found without importing it.

    Raises:
        FileNotFoundError: torch is not installed.
    """
    spec = importlib.util.find_spec('torch')
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError('torch is not installed in this Python; its headers are needed to build mmcount.ops')
    return Path(next(iter(spec.submodule_search_locations)))


def cpu_sources() -> list[Path]:
    """C++ files of the CPU library, sorted."""
    return sorted((OPS_DIR / 'csrc' / 'cpu').glob('*.cpp'))


def cuda_sources() -> list[Path]:
    """CUDA files of the CUDA library, sorted."""
    return sorted((OPS_DIR / 'csrc' / 'cuda').glob('*.cu'))


def compile_flags() -> list[str]:
    """Flags every C++ file needs, include folders excluded."""
    # Whether a * b + c is rounded once or twice would otherwise depend on the compiler and the instruction set.
    exact = '-ffp-contract=off'
    return ['-O3', '-g0', '-std=c++20', exact, '-fopenmp', '-fPIC', f'-DTORCH_TARGET_VERSION={TARGET_VERSION}']


def cpu_command(
    output: Path | None = None,
    sources: Sequence[Path] | None = None,
    torch_root: Path | None = None,
    compiler: str | None = None,
) -> list[str]:
    """Command that builds the CPU library.

    Args:
        output: Library to write; None means ``_C.so`` next to this file.
        sources: Files to compile; None means all CPU files.
        torch_root: Folder of the torch package; None finds it.
        compiler: C++ compiler; None means ``$CXX`` or ``g++``.
    """
    root = torch_root or torch_dir()
    return [
        compiler or os.environ.get('CXX') or 'g++',
        *compile_flags(),
        '-shared',
        f'-I{root / "include"}',
        f'-I{OPS_DIR / "csrc"}',
        *map(str, sources or cpu_sources()),
        f'-L{root / "lib"}',
        '-ltorch_cpu',
        '-lc10',
        '-o',
        str(output or OPS_DIR / '_C.so'),
    ]


def cuda_command(
    output: Path | None = None,
    sources: Sequence[Path] | None = None,
    torch_root: Path | None = None,
    nvcc: str = 'nvcc',
    architectures: Sequence[str] = CUDA_ARCHITECTURES,
) -> list[str]:
    """Command that builds the CUDA library.

    Args:
        output: Library to write; None means ``_C_cuda.so`` next to this file.
        sources: Files to compile; None means all CUDA files.
        torch_root: Folder of the torch package; None finds it.
        nvcc: CUDA compiler.
        architectures: Compute capabilities without the dot, such as ``90``. PTX of the last one is added for newer
            devices.
    """
    root = torch_root or torch_dir()
    targets = [f'-gencode=arch=compute_{arch},code=sm_{arch}' for arch in architectures]
    newest = architectures[-1]
    targets.append(f'-gencode=arch=compute_{newest},code=compute_{newest}')
    # Streams and error texts come from a library that torch loads privately, so it must be named; a torch without CUDA
    # has none, and only the compile check is left.
    own = ['-ltorch_cuda'] if (root / 'lib' / 'libtorch_cuda.so').is_file() else []
    return [
        nvcc,
        '-O3',
        '-std=c++20',
        '-shared',
        '-cudart=static',
        '-fmad=false',
        *targets,
        '-DUSE_CUDA',
        f'-DTORCH_TARGET_VERSION={TARGET_VERSION}',
        '-Xcompiler=-fPIC',
        f'-I{root / "include"}',
        f'-I{OPS_DIR / "csrc"}',
        *map(str, sources or cuda_sources()),
        f'-L{root / "lib"}',
        '-ltorch_cpu',
        '-lc10',
        *own,
        '-o',
        str(output or OPS_DIR / '_C_cuda.so'),
    ]


def run(command: Sequence[str]) -> None:
    """Run a build command; its output file appears only if the build succeeds.

    Raises:
        FileNotFoundError: The compiler is not on ``PATH``.
        subprocess.CalledProcessError: The compiler failed; its messages went to stderr.
    """
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(f'compiler {command[0]!r} is not on PATH')
    output = Path(command[-1])
    partial = output.with_name(f'{output.name}.{os.getpid()}.part')
    try:
        subprocess.run([*command[:-1], str(partial)], check=True)
        os.replace(partial, output)
    finally:
        partial.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: build the CPU library, or with ``--cuda`` the CUDA one."""
    parser = argparse.ArgumentParser(prog='python -m mmcount.ops.build', description='Compile mmcount.ops in place.')
    parser.add_argument('--cuda', action='store_true', help='build the CUDA library instead of the CPU one')
    parser.add_argument('--only', metavar='GLOB', help='compile only the source files whose name matches')
    parser.add_argument('--out', type=Path, help='library to write (default: next to the package)')
    parser.add_argument('--dry-run', action='store_true', help='print the command and stop')
    args = parser.parse_args(argv)
    sources = cuda_sources() if args.cuda else cpu_sources()
    if args.only:
        sources = [path for path in sources if path.match(args.only)]
    if not sources:
        parser.error('no source file to compile')
    command = (cuda_command if args.cuda else cpu_command)(args.out, sources)
    print(shlex.join(command))
    if not args.dry_run:
        run(command)


if __name__ == '__main__':
    main()
