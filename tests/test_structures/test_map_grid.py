"""Cells of maps on images."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.structures import MapGrid, grid_of_map

sizes = st.tuples(st.integers(1, 500), st.integers(1, 500))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(shape=sizes, stride=st.integers(1, 40), padding=st.integers(0, 40), origin=st.floats(-50, 50))
def test_cells_cover_the_image_and_places_go_both_ways(shape, stride, padding, origin):
    grid = MapGrid(shape, stride, padding, origin)
    height, width = grid.shape
    assert (height - 1) * stride < shape[0] + padding <= height * stride
    left, top, right, bottom = grid.extent
    assert (right - left, bottom - top) == pytest.approx((width * stride, height * stride))
    cells = torch.tensor([[0.0, 0.0], [width - 1.0, height - 1.0], [2.25, -1.5]])
    torch.testing.assert_close(grid.from_image(grid.to_image(cells)), cells, rtol=0, atol=1e-3)
    first = grid.to_image(cells[:1])[0]
    assert first.tolist() == pytest.approx([origin + stride / 2] * 2, abs=1e-4)


def test_the_last_cell_of_an_odd_image_is_a_whole_cell():
    grid = grid_of_map((449, 448), (15, 14))
    assert grid.stride == 32
    assert grid.to_image(torch.tensor([[13.0, 14.0]])).tolist() == [[431.5, 463.5]]
    assert grid.clamp(torch.tensor([[431.5, 463.5]])).tolist() == [[431.5, 448.0]]


@pytest.mark.parametrize('stride', [2, 8, 16])
def test_a_map_of_another_stride_is_never_cut(stride):
    with pytest.raises(ValueError, match=f'an input of .64, 64. px has a map of .* at stride {stride}'):
        MapGrid((64, 64), stride).crop(torch.zeros(1, 16, 16))


def test_an_image_has_its_own_cells_of_a_padded_batch():
    maps = torch.arange(12.0).view(1, 3, 4)
    assert MapGrid((5, 7), 4).crop(maps, (12, 16)).tolist() == [[[0, 1], [4, 5]]]
    with pytest.raises(ValueError, match='pad_size_divisor'):
        MapGrid((5, 7), 4).crop(maps)


@pytest.mark.parametrize(('image', 'cells'), [((64, 64), (12, 12)), ((449, 64), (14, 2))])
def test_maps_without_a_common_stride_are_refused(image, cells):
    with pytest.raises(ValueError, match='no common stride'):
        grid_of_map(image, cells)


def test_a_crop_without_cells_of_its_own_is_refused():
    with pytest.raises(ValueError, match='has no cells of its own'):
        MapGrid((32, 40), padding=-32)
