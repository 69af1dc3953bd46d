"""The build recipe, and a compile check of the CUDA kernels where nvcc is installed."""

import shutil
import subprocess
import sys

import pytest

from mmcount.ops import build


def test_recipe_imports_no_torch():
    code = (
        'import runpy, sys\n'
        f'recipe = runpy.run_path({build.__file__!r})\n'
        'recipe["cpu_command"](), recipe["cuda_command"]()\n'
        'assert "torch" not in sys.modules\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def test_cpu_command_compiles_every_source_against_the_stable_abi(tmp_path):
    command = build.cpu_command(tmp_path / '_C.so', compiler='c++')
    assert command[0] == 'c++'
    assert command[-2:] == ['-o', str(tmp_path / '_C.so')]
    assert '-DTORCH_TARGET_VERSION=0x020a000000000000' in command
    assert {str(path) for path in build.cpu_sources()} <= set(command)
    assert any(path.name == 'peaks.cpp' for path in build.cpu_sources())


def test_cuda_command_names_every_architecture(tmp_path):
    command = build.cuda_command(tmp_path / 'x.so', architectures=('80', '90'))
    assert '-gencode=arch=compute_80,code=sm_80' in command
    assert '-gencode=arch=compute_90,code=sm_90' in command
    assert '-gencode=arch=compute_90,code=compute_90' in command


def test_failed_build_leaves_nothing(tmp_path):
    source = tmp_path / 'wrong.cpp'
    source.write_text('this is no C++')
    if shutil.which('g++') is None:
        pytest.skip('g++ is not installed')
    with pytest.raises(subprocess.CalledProcessError):
        build.run(build.cpu_command(tmp_path / '_C.so', [source], compiler='g++'))
    assert [path.name for path in tmp_path.iterdir()] == ['wrong.cpp']


def test_missing_compiler_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no-such-compiler'):
        build.run(build.cpu_command(tmp_path / '_C.so', compiler='no-such-compiler'))


def supported_architectures():
    """Compute capabilities from 7.5 on that the installed nvcc knows, without family and architecture variants."""
    listed = subprocess.run(['nvcc', '--list-gpu-code'], capture_output=True, text=True, check=True).stdout
    numbers = (name.removeprefix('sm_') for name in listed.split())
    return tuple(sorted((x for x in numbers if x.isdigit() and int(x) >= 75), key=int))


@pytest.mark.slow
@pytest.mark.parametrize('source', build.cuda_sources(), ids=lambda path: path.name)
def test_cuda_kernels_compile_for_every_architecture(tmp_path, source):
    if shutil.which('nvcc') is None:
        pytest.skip('nvcc is not installed')
    architectures = supported_architectures()
    assert architectures
    build.run(build.cuda_command(tmp_path / 'x.so', [source], architectures=architectures))
    assert (tmp_path / 'x.so').stat().st_size > 0


def test_cuda_library_names_the_runtime_of_torch_where_there_is_one(tmp_path):
    (tmp_path / 'lib').mkdir()
    assert '-ltorch_cuda' not in build.cuda_command(torch_root=tmp_path)
    (tmp_path / 'lib' / 'libtorch_cuda.so').touch()
    assert '-ltorch_cuda' in build.cuda_command(torch_root=tmp_path)


def test_no_compiler_may_fuse_multiplications_with_additions():
    assert '-ffp-contract=off' in build.cpu_command()
    assert '-fmad=false' in build.cuda_command()
