"""Places of tiles along one axis."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.models.tiling import axis_tiles


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    size=st.integers(40, 400),
    tile=st.integers(8, 200),
    stride=st.sampled_from([1, 2, 4, 8]),
    shrink=st.integers(0, 39),
    ring=st.integers(0, 12),
)
def test_tiles_cover_every_cell_once_and_bring_their_context(size, tile, stride, shrink, ring):
    tiles = axis_tiles(size, tile, stride, shrink, ring)
    cells = (size - shrink - 1) // stride + 1
    assert [i for one in tiles for i in range(one.first, one.last)] == list(range(cells))
    for one in tiles:
        assert one.start % stride == 0
        assert 0 <= one.start < one.stop <= size
        assert one.last - one.first <= tile // stride
        own_cells = (one.stop - one.start - shrink - 1) // stride + 1
        assert own_cells >= one.skip + one.last - one.first
        # Either the border is that of the image, or the ring lies outside the cells that are kept.
        assert one.start == 0 or one.first * stride - one.start >= ring
        last_input = (one.last - 1) * stride + shrink
        assert one.stop == size or one.stop - 1 - last_input >= ring


def test_sizes_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match='tile must be at least the stride 4'):
        axis_tiles(100, 3, 4, 32, 6)
    with pytest.raises(ValueError, match='needs at least 33'):
        axis_tiles(32, 64, 1, 32, 6)
