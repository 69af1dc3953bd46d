"""CUDA kernels against the Python references: one matrix, on a GPU where there is one and on an emulation of it.

The emulation compiles the very ``.cu`` files with the C++ compiler and runs their threads as coroutines in random
order, so indexing, barriers, atomics and every rule of the ops are checked without a GPU; memory orders, occupancy and
speed are not. It needs a C++ compiler and half a minute, so its cases count as slow.
"""

import platform
import re
import shutil
from pathlib import Path

import pytest
import torch

from mmcount.ops import build, find_components, find_peaks, is_compiled, peak_stimulation, topk_peak_mask
from mmcount.ops.reference import components as components_reference
from mmcount.ops.reference import peaks as peaks_reference

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
EMULATION = Path(__file__).parents[1] / 'test_ops' / 'cuda_emulation'
SCHEMAS = {
    'find_peaks': '(Tensor x, int radius, float? threshold, int border) -> (Tensor, Tensor)',
    'peak_stimulation': ('(Tensor x, int radius, str filter, float level, bool mean_grad) -> (Tensor, Tensor, Tensor)'),
    'peak_stimulation_backward': '(Tensor grad, Tensor counts, Tensor mask, bool mean_grad) -> Tensor',
    'find_components': (
        '(Tensor prob, Tensor? threshold_map, float? threshold, int connectivity, int min_area, bool return_labels)'
        ' -> (Tensor, Tensor, Tensor)'
    ),
}


def cuda_ops():
    """``op(name, *arguments)`` on the GPU, results on the CPU; layouts survive the way there."""
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    if not is_compiled('cuda'):
        pytest.skip('the CUDA kernels are not compiled; run python -m mmcount.ops.build --cuda')

    def to_gpu(value):
        if not isinstance(value, torch.Tensor):
            return value
        storage = value.untyped_storage().cuda()
        return torch.empty(0, dtype=value.dtype, device='cuda').set_(
            storage, value.storage_offset(), value.shape, value.stride()
        )

    def op(name, *arguments):
        result = getattr(torch.ops.mmcount, name)(*map(to_gpu, arguments))
        return result.cpu() if isinstance(result, torch.Tensor) else tuple(x.cpu() for x in result)

    return op


def as_host_code(text):
    """A CUDA file in plain C++: launches become calls, the device, its streams and its errors go."""
    text = re.sub(
        r'([A-Za-z_]\w*(?:<[^<>;]*>)?)<<<([^;]*?)>>>\(',
        r'emulation::launch(\2, [&](auto... arguments) { \1(arguments...); })(',
        text,
    )
    text = re.sub(r'const torch::stable::accelerator::DeviceGuard guard\([^;]*;', '', text)
    text = re.sub(r'STABLE_TORCH_ERROR_CODE_CHECK\(aoti_torch_get_current_cuda_stream[^;]*;', '', text)
    text = re.sub(r'STD_CUDA_CHECK\(', '(', text).replace('STD_CUDA_KERNEL_LAUNCH_CHECK()', '(void)0')
    # A small limit on the grid sends the loops over more items than threads through more than one round.
    text = text.replace('blocks < 65535 ? blocks : 65535', 'blocks < 3 ? blocks : 3')
    return text.replace('(mmcount, CUDA, m)', '(mmcount_emulated, CPU, m)').replace('->is_cuda()', '->is_cpu()')


@pytest.fixture(scope='module')
def emulated_ops(tmp_path_factory):
    compiler = shutil.which('g++') or shutil.which('c++')
    if compiler is None or platform.system() != 'Linux':
        pytest.skip('the emulation needs a C++ compiler on Linux')
    folder = tmp_path_factory.mktemp('emulation')
    (folder / 'cuda').mkdir()
    shutil.copy(build.OPS_DIR / 'csrc' / 'common.h', folder)
    for path in (build.OPS_DIR / 'csrc' / 'cuda').iterdir():
        name = path.name if path.suffix == '.cuh' else f'{path.stem}.cpp'
        (folder / 'cuda' / name).write_text(as_host_code(path.read_text()))
    sources = [*sorted((folder / 'cuda').glob('*.cpp')), EMULATION / 'emulation.cpp']
    command = build.cpu_command(folder / 'emulated.so', sources, compiler=compiler)
    build.run([command[0], f'-I{EMULATION}', '-w', '-O1', *(x for x in command[1:] if x != '-O3')])
    library = torch.library.Library('mmcount_emulated', 'FRAGMENT')
    for name, schema in SCHEMAS.items():
        library.define(name + schema)
    torch.ops.load_library(str(folder / 'emulated.so'))
    yield lambda name, *arguments: getattr(torch.ops.mmcount_emulated, name)(*arguments)
    del library


@pytest.fixture(params=[pytest.param('cuda', marks=pytest.mark.gpu), pytest.param('emulated', marks=pytest.mark.slow)])
def op(request):
    return cuda_ops() if request.param == 'cuda' else request.getfixturevalue('emulated_ops')


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def mapped(kind, shape):
    """Maps of one kind, (N, C, H, W) float32; values survive every float dtype unchanged but for ``noise``."""
    noise = torch.randn(shape, generator=generator())
    coarse = torch.randint(0, 4, shape, generator=generator(1)).float()
    if kind == 'noise':
        return noise
    if kind == 'ties':
        return coarse
    if kind == 'odd':  # NaN, both infinities and both zeros
        odd = coarse.masked_fill(coarse == 1, torch.nan).masked_fill(coarse == 3, -torch.inf)
        odd[noise > 2] = torch.inf
        odd[noise < -1.5] = -0.0
        return odd
    if kind == 'smooth':
        return torch.nn.functional.avg_pool2d(noise, 3, 1, 1)
    return torch.full(shape, {'equal': 0.25, 'nan': torch.nan, 'minus inf': -torch.inf}[kind])


KINDS = ('noise', 'ties', 'odd', 'smooth', 'equal', 'nan', 'minus inf')
SHAPES = ((2, 3, 28, 28), (1, 2, 37, 65), (1, 1, 1, 130), (2, 1, 130, 1), (3, 1, 1, 1), (1, 1, 40, 96))
EMPTY = ((0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 0, 4), (2, 3, 4, 0))


def layouts(x):
    """The same values behind other strides: channels last, every second column, transposed, one map expanded."""
    yield x.to(memory_format=torch.channels_last)
    wide = torch.empty(*x.shape[:-1], 2 * x.shape[-1] + 1, dtype=x.dtype)
    yield wide[..., 1::2].copy_(x)
    yield x.transpose(2, 3).contiguous().transpose(2, 3)
    yield x[:1, :1].expand_as(x)


def assert_same_peaks(op, x, *arguments):
    expected = peaks_reference.find_peaks(x, *arguments)
    for actual, wanted in zip(op('find_peaks', x, *arguments), expected, strict=True):
        assert actual.dtype == wanted.dtype
        torch.testing.assert_close(actual, wanted, rtol=0, atol=0)


@pytest.mark.parametrize('dtype', FLOATS)
@pytest.mark.parametrize('kind', KINDS)
def test_peaks(op, kind, dtype):
    for shape in SHAPES:
        x = mapped(kind, shape).to(dtype)
        for arguments in ((0, None, 0), (1, None, 0), (1, 0.3, 0), (2, -torch.inf, 1), (7, None, 3), (10**6, None, 0)):
            assert_same_peaks(op, x, *arguments)


def test_peaks_of_empty_and_strided_maps(op):
    for shape in EMPTY:
        assert_same_peaks(op, torch.zeros(shape), 1, None, 0)
    for x in layouts(mapped('ties', (2, 3, 12, 20))):
        assert_same_peaks(op, x, 1, None, 0)
        assert_same_peaks(op, x.double(), 3, 0.5, 1)


def test_peaks_of_many_tiles(op):
    # More than one round of the scan over tiles (1,024 of 1,024 pixels).
    assert_same_peaks(op, mapped('ties', (3, 1, 700, 701)), 2, None, 0)


def assert_same_stimulation(op, x, radius, filter, level=0.0):
    scores, counts, mask = op('peak_stimulation', x, radius, filter, level, False)
    expected = peaks_reference.peak_stimulation(x, radius, filter, level, False)
    assert torch.equal(counts, expected[1])
    assert torch.equal(mask, expected[2])
    torch.testing.assert_close(scores, expected[0], equal_nan=True)


@pytest.mark.parametrize('dtype', FLOATS)
@pytest.mark.parametrize('kind', KINDS)
def test_peak_stimulation(op, kind, dtype):
    for shape in SHAPES:
        x = mapped(kind, shape).to(dtype)
        for radius in (1, 3, 500):
            for filter in ('median', 'mean', 'max', 'none'):
                assert_same_stimulation(op, x, radius, filter)
            assert_same_stimulation(op, x, radius, 'value', 0.3)


def test_peak_stimulation_of_empty_and_strided_maps(op):
    for shape in EMPTY[:2]:
        assert_same_stimulation(op, torch.zeros(shape), 1, 'median')
    for x in layouts(mapped('smooth', (2, 3, 12, 20))):
        assert_same_stimulation(op, x, 1, 'median')


@pytest.mark.parametrize('dtype', FLOATS)
@pytest.mark.parametrize('mean_grad', [False, True])
def test_peak_stimulation_backward(op, mean_grad, dtype):
    maps = mapped('ties', (3, 2, 14, 29))
    maps[0, 0] = torch.nan
    _, counts, mask = peaks_reference.peak_stimulation(maps, 1, 'median', 0.0, mean_grad)
    for grad in (torch.randn(2, 3, generator=generator()).to(dtype).t(), torch.ones(1, 1, dtype=dtype).expand(3, 2)):
        actual = op('peak_stimulation_backward', grad, counts, mask, mean_grad)
        assert torch.equal(actual, peaks_reference.peak_stimulation_backward(grad, counts, mask, mean_grad))
    empty = op('peak_stimulation_backward', torch.ones(0, 2, dtype=dtype), counts[:0], mask[:0], mean_grad)
    assert empty.shape == (0, 2, 14, 29)


def assert_same_components(op, *arguments):
    table, means, labels = op('find_components', *arguments)
    expected = components_reference.find_components(*arguments)
    assert torch.equal(table, expected[0])
    assert torch.equal(means[:, :2], expected[1][:, :2])
    # Atomic sums of doubles have no fixed order.
    torch.testing.assert_close(means[:, 2], expected[1][:, 2], rtol=1e-12, atol=0, equal_nan=True)
    assert torch.equal(labels, expected[2])


@pytest.mark.parametrize('connectivity', [4, 8])
@pytest.mark.parametrize('dtype', [torch.bool, torch.uint8, *FLOATS])
def test_components(op, dtype, connectivity):
    for shape in ((2, 28, 28), (1, 37, 65), (1, 1, 130), (2, 130, 1), (3, 1, 1), (2, 40, 96)):
        for density in (0.3, 0.6, 0.95):
            prob = torch.rand(shape, generator=generator(2))
            mask, threshold = prob < density, None if dtype in (torch.bool, torch.uint8) else 0.4
            prob = mask.to(dtype) if threshold is None else prob.masked_fill(~mask, torch.nan).to(dtype)
            assert_same_components(op, prob, None, threshold, connectivity, 1, True)
            assert_same_components(op, prob, None, threshold, connectivity, 3, False)


@pytest.mark.parametrize('connectivity', [4, 8])
def test_components_of_shapes_that_join_late(op, connectivity):
    comb, spiral = torch.zeros(40, 130, dtype=torch.bool), torch.ones(67, 67, dtype=torch.bool)
    comb[:, ::2] = comb[-1] = True
    for ring in range(1, 33, 2):  # one gap per ring, on alternating sides
        spiral[ring, ring:-ring] = spiral[-ring - 1, ring:-ring] = False
        spiral[ring:-ring, ring] = spiral[ring:-ring, -ring - 1] = False
        spiral[33, ring if ring % 4 == 1 else -ring - 1] = True
    diagonal = torch.eye(100, 128, dtype=torch.bool)
    checkers = torch.arange(33)[:, None] % 2 == torch.arange(129) % 2
    for mask in (comb, comb.flip(0), spiral, diagonal, diagonal.flip(1), checkers, torch.ones_like(comb)):
        assert_same_components(op, mask[None], None, None, connectivity, 1, True)
        assert_same_components(op, torch.stack((mask, ~mask)), None, None, connectivity, 2, True)


def test_components_against_thresholds_of_all_sorts(op):
    prob = torch.tensor([[[0.5, 0.25, torch.nan, torch.inf, -torch.inf, 0.75, 0.2998]]])
    for dtype in FLOATS:
        for threshold in (0.5, -torch.inf, torch.inf, 0.3):
            assert_same_components(op, prob.to(dtype), None, threshold, 4, 1, True)
        bounds = prob.flip(2).to(dtype)
        assert_same_components(op, prob.to(dtype), bounds, None, 4, 1, True)
        assert_same_components(op, prob.to(dtype).expand(3, 5, 7), bounds[:, :1].expand(3, 5, 7), None, 8, 0, True)
    levels = torch.tensor([[[0, 1, 126, 127, 128, 255]]], dtype=torch.uint8)
    for threshold in (-3.0, 0.5, 127.0, 127.5, 255.0, 255.5):
        assert_same_components(op, levels, None, threshold, 4, 1, True)
    assert_same_components(op, levels, levels.flip(2), None, 4, 1, True)


def test_components_of_empty_and_strided_maps(op):
    for shape in ((0, 4, 5), (2, 0, 5), (2, 4, 0)):
        assert_same_components(op, torch.zeros(shape), None, 0.5, 4, 1, True)
    prob = torch.rand(2, 31, 97, generator=generator(3))
    for x in (prob.transpose(1, 2), prob[:, ::2, 1::3], prob[:, 5:, 3:60], prob[:1].expand(4, 31, 97)):
        assert_same_components(op, x, None, 0.4, 4, 1, True)


@pytest.mark.gpu
@pytest.mark.parametrize('dtype', FLOATS)
def test_public_functions_agree_on_both_devices(dtype):
    cuda_ops()  # skips where it must
    for kind in KINDS:
        x = mapped(kind, (2, 3, 28, 28)).to(dtype)
        for on_cpu, on_gpu in zip(find_peaks(x, 1, 0.1, topk=5), find_peaks(x.cuda(), 1, 0.1, topk=5), strict=True):
            assert torch.equal(on_cpu, on_gpu.cpu())
        leaves = [x.clone().requires_grad_(), x.cuda().requires_grad_()]
        outs = [peak_stimulation(leaf, 1, 'median', grad='mean') for leaf in leaves]
        weight = torch.randn(2, 3, generator=generator(4)).to(dtype)
        for leaf, out in zip(leaves, outs, strict=True):
            out.scores.backward(weight.to(leaf.device))
        torch.testing.assert_close(leaves[1].grad.cpu(), leaves[0].grad)
        assert torch.equal(outs[1].positions.cpu(), outs[0].positions)
        counts = torch.randint(-1, 7, (2, 3), generator=generator(5))
        for limit in (None, 0, 4):
            masks = [topk_peak_mask(leaf, out.mask, counts, limit) for leaf, out in zip(leaves, outs, strict=True)]
            assert torch.equal(masks[1].cpu(), masks[0])
        found = [find_components(maps[0], 0.2, 8, return_labels=True) for maps in (x, x.cuda())]
        for on_cpu, on_gpu in zip(*found, strict=True):
            torch.testing.assert_close(on_gpu.cpu(), on_cpu)


@pytest.mark.gpu
def test_large_maps_agree_on_both_devices():
    cuda_ops()
    x = torch.randn(1, 1, 8192, 8192, generator=generator()).half()
    for radius in (1, 7):
        assert torch.equal(find_peaks(x.cuda(), radius)[0].cpu(), find_peaks(x, radius)[0])
    on_cpu, on_gpu = (find_components(maps[0], 0.8) for maps in (x, x.cuda()))
    assert torch.equal(on_gpu.bboxes.cpu(), on_cpu.bboxes)
    assert torch.equal(on_gpu.areas.cpu(), on_cpu.areas)


@pytest.mark.gpu
def test_a_stream_of_its_own_and_another_device():
    cuda_ops()
    x = mapped('smooth', (4, 3, 64, 64))
    expected = find_peaks(x, 2)[0]
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        moved = x.cuda(non_blocking=True)
        assert torch.equal(find_peaks(moved, 2)[0].cpu(), expected)
    last = f'cuda:{torch.cuda.device_count() - 1}'
    positions, _ = find_peaks(x.to(last), 2)
    assert str(positions.device) == last
    assert torch.equal(positions.cpu(), expected)
