import pytest

from mmcount.datasets.cells import CellOptions


def test_a_number_is_a_range_of_one_value():
    assert CellOptions(radius=6, blur=1.0).radius == (6, 6)
    assert CellOptions(coverage=[0.1, 0.2]).coverage == (0.1, 0.2)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'radius': (8, 4)}, r'radius must be a number or a rising'),
        ({'radius': 0.5}, r'radius must be .* in 1.5..200, got 0.5'),
        ({'coverage': (0.1, 0.2, 0.3)}, r'coverage must be'),
        ({'empty_prob': 1.5}, r'empty_prob must be a number in 0..1, got 1.5'),
        ({'empty_prob': (0, 1)}, r'empty_prob must be a number in'),
        ({'photons': 0}, r'photons must be'),
        ({'canvas': (64,)}, r'canvas must be \(height, width\)'),
        ({'canvas': (64.5, 64)}, r'canvas must be'),
        ({'profile_weights': (0, 0, 0)}, r"profile_weights must be 3 weights >= 0 of \('flat', 'dome', 'ring'\)"),
        ({'overlap_weights': (1, -1, 1)}, r'overlap_weights must be 3 weights'),
        ({'overlap_weights': 1.0}, r'overlap_weights must be 3 weights'),
        ({'radius': float('nan')}, r'radius must be'),
    ],
)
def test_options_out_of_range_are_refused_with_the_bounds(options, message):
    with pytest.raises(ValueError, match=message):
        CellOptions(**options)


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match='radios'):
        CellOptions(radios=5)


def test_narrowed_ranges_shrink_around_their_middle_and_keep_what_is_counted():
    options = CellOptions(blur=(1, 3), haze_prob=0.5, coverage=(0, 0.4), cluster_prob=0.6)
    narrow = options.narrowed(0.25)
    assert narrow.blur == (1.75, 2.25)
    assert narrow.haze_prob == 0.125
    assert (narrow.coverage, narrow.cluster_prob, narrow.empty_prob) == ((0, 0.4), 0.6, options.empty_prob)
    assert narrow.profile_weights == options.profile_weights
    assert options.narrowed(1) == options
    assert options.narrowed(0).blur == (2, 2)
