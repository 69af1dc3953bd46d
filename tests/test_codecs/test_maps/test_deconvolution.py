"""Deconvolution: exact blurs and their adjoints, mass, convergence."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.codecs.maps import DensityCodec, RedundantCountCodec
from mmcount.codecs.maps.deconvolution import BoxBlur, BoxSum, GaussianBlur, deconvolve
from mmcount.structures.objects import Objects

sides = st.integers(1, 24)
seeds = st.integers(0, 10_000)


def random_maps(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).random(shape))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(seed=seeds, side=st.integers(1, 19), rows=st.integers(0, 9), columns=st.integers(0, 9), margin=st.integers(0, 3))
def test_a_box_sum_is_the_sum_of_each_square(seed, side, rows, columns, margin):
    maps = random_maps(seed, 2, side + rows, side + columns)
    padded = torch.nn.functional.pad(maps, (margin,) * 4)
    sums = BoxSum(maps.shape, side, margin)
    for one, around in ((maps, padded), (2 * maps, 2 * padded)):
        expected = around.unfold(1, side, 1).unfold(2, side, 1).sum(dim=(-2, -1))
        torch.testing.assert_close(sums(one), expected)


def test_a_result_stays_as_it_is_when_another_map_is_summed():
    sums = BoxSum((1, 4, 4), 2)
    first = sums(torch.ones(1, 4, 4))
    sums(torch.zeros(1, 4, 4))
    assert first.tolist() == [[[4.0] * 3] * 3]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(seed=seeds, height=sides, width=sides, side=st.sampled_from((1, 2, 3, 5, 8, 16, 32)))
def test_gather_of_boxes_is_the_adjoint_of_spread(seed, height, width, side):
    blur = BoxBlur(side, (2, height, width))
    cells = random_maps(seed, 2, height, width)
    maps = random_maps(seed + 1, 2, height + side - 1, width + side - 1)
    assert blur.spread(cells).shape == maps.shape
    torch.testing.assert_close((blur.spread(cells) * maps).sum(), (cells * blur.gather(maps)).sum())
    torch.testing.assert_close(blur.gather(torch.ones_like(maps)), torch.full_like(cells, side**2))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(seed=seeds, height=sides, width=sides, sigma=st.floats(0.3, 9))
def test_gather_of_gaussians_is_the_adjoint_of_spread(seed, height, width, sigma):
    blur = GaussianBlur(sigma, (2, height, width))
    cells, maps = random_maps(seed, 2, height, width), random_maps(seed + 1, 2, height, width)
    torch.testing.assert_close((blur.spread(cells) * maps).sum(), (cells * blur.gather(maps)).sum())
    torch.testing.assert_close(blur.gather(torch.ones_like(maps)), torch.ones_like(cells))


@settings(deadline=None, derandomize=True, max_examples=80)
@given(data=st.data(), shape=st.tuples(st.integers(1, 70), st.integers(1, 70)), seed=seeds)
def test_a_redundant_target_is_the_box_sum_of_its_objects_for_every_size_and_stride(data, shape, seed):
    window = data.draw(st.sampled_from((8, 24, 32)))
    stride = data.draw(st.sampled_from([one for one in range(1, window + 1) if window % one == 0]))
    points = np.random.default_rng(seed).integers(0, (shape[1], shape[0]), (30, 2))
    codec = RedundantCountCodec(window, stride)
    target = torch.from_numpy(codec.encode(Objects(points), codec.grid(shape))['data'])
    objects = torch.zeros(1, -(-shape[0] // stride), -(-shape[1] // stride))
    objects.index_put_((torch.tensor(0), *torch.from_numpy(points // stride).T.flip(0)), torch.tensor(1.0), True)
    assert float(target[:, 0].abs().sum() + target[:, :, 0].abs().sum()) == 0
    torch.testing.assert_close(target[:, 1:, 1:], BoxBlur(codec.repeats, objects.shape).spread(objects).float())


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    seed=seeds,
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    stride=st.sampled_from((1, 2, 3, 8)),
    sigma=st.floats(0.8, 10),
    padding=st.sampled_from((0, 32)),
)
def test_a_density_target_is_the_gaussian_blur_of_objects_at_centres_of_cells(seed, shape, stride, sigma, padding):
    codec = DensityCodec(sigma, stride, padding=padding)
    grid = codec.grid(shape)
    objects = torch.zeros(1, *grid.shape, dtype=torch.float64)
    cells = np.random.default_rng(seed).integers(0, grid.shape[::-1], (9, 2))
    points = grid.to_image(torch.from_numpy(cells).double())
    height, width = shape
    inside = ((points > -0.5) & (points < torch.tensor([width - 0.5, height - 0.5]))).all(dim=1)
    for column, row in cells[inside.numpy()]:
        objects[0, row, column] += 1
    target = codec.encode(Objects(points[inside].numpy()), grid)['data']
    expected = GaussianBlur(sigma / stride, objects.shape).spread(objects)
    np.testing.assert_allclose(target, expected.numpy(), atol=1e-6)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    seed=seeds, height=sides, width=sides, side=st.integers(1, 9), rounds=st.integers(1, 30), offset=st.floats(-0.5, 1)
)
def test_the_sum_of_the_objects_is_that_of_the_non_negative_map_after_every_round(
    seed, height, width, side, rounds, offset
):
    maps = random_maps(seed, 2, height + side - 1, width + side - 1) + offset
    cells = deconvolve(maps, BoxBlur(side, (2, height, width)), rounds)
    assert float(cells.min()) > 0
    expected = maps.clamp(min=0).sum(dim=(1, 2))
    torch.testing.assert_close(cells.sum(dim=(1, 2)) * side**2, expected, rtol=1e-9, atol=1e-6)


def test_a_window_of_one_cell_is_the_map_itself():
    maps = random_maps(0, 1, 5, 7) + 0.1
    torch.testing.assert_close(deconvolve(maps, BoxBlur(1, maps.shape), 1), maps)


@pytest.mark.parametrize('blur', [BoxBlur(8, (1, 32, 32)), GaussianBlur(1.0, (1, 32, 32))], ids=['box', 'gaussian'])
def test_objects_come_back_exactly_at_every_border(blur):
    objects = torch.zeros(1, 32, 32, dtype=torch.float64)
    for place in ((0, 0), (0, 31), (31, 0), (31, 31), (0, 14), (17, 31), (12, 12)):
        objects[(0, *place)] = 1.0
    objects[0, 20, 10] = 3.0
    torch.testing.assert_close(deconvolve(blur.spread(objects), blur, 300), objects, atol=0.02, rtol=0)


def test_acceleration_gets_further_than_as_many_plain_rounds():
    rng = np.random.default_rng(0)
    objects = torch.zeros(1, 32, 32, dtype=torch.float64)
    for row, column in rng.integers(0, 32, (60, 2)):
        objects[0, row, column] += 1
    blur = BoxBlur(8, objects.shape)
    maps = blur.spread(objects)
    plain = (blur.gather(maps) / blur.mass**2).clamp(min=1e-12)
    for _ in range(100):
        plain = plain * blur.gather(maps / blur.spread(plain).clamp(min=1e-9)) / blur.mass
    accelerated = deconvolve(maps, blur, 100)
    assert float((accelerated - objects).abs().sum()) < 0.4 * float((plain - objects).abs().sum())


def test_classes_do_not_touch_each_other():
    maps = random_maps(3, 3, 20, 17)
    blur = BoxBlur(4, (3, 17, 14))
    together = deconvolve(maps, blur, 40)
    for label in range(3):
        torch.testing.assert_close(together[label], deconvolve(maps[label : label + 1], BoxBlur(4, (1, 17, 14)), 40)[0])
    torch.testing.assert_close(deconvolve(maps.flip(0), blur, 40), together.flip(0))


@pytest.mark.parametrize('value', [0.0, -3.0, 1e-30, 1e-8, 1e12])
def test_maps_of_one_value_stay_finite(value):
    cells = deconvolve(torch.full((1, 9, 9), value), BoxBlur(4, (1, 6, 6)), 50)
    assert torch.isfinite(cells).all()
    assert float(cells.min()) > 0


def test_half_precision_maps_are_solved_in_double_precision():
    maps = random_maps(1, 1, 12, 12).half()
    blur = BoxBlur(4, (1, 9, 9))
    torch.testing.assert_close(deconvolve(maps, blur, 10), deconvolve(maps.double(), blur, 10))


def test_maps_of_a_training_network_are_solved_without_gradients():
    maps = random_maps(2, 1, 9, 9).requires_grad_()
    assert not deconvolve(maps, BoxBlur(4, (1, 6, 6)), 5).requires_grad
