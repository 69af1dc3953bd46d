"""Which peaks become instances."""

import pytest
import torch

from mmcount.models.segmentation import select_peaks


@pytest.fixture
def maps():
    one = torch.full((3, 6, 6), -1.0)
    one[0, 1, 1], one[0, 4, 4], one[0, 1, 4] = 30.0, 25.0, 4.0
    one[1, 2, 2] = 21.0
    one[2, 3, 3] = 0.1
    return one


def test_both_thresholds(maps):
    peaks = select_peaks(maps)
    assert peaks.positions.tolist() == [[0, 1, 1], [0, 4, 4], [1, 2, 2]]
    assert peaks.values.tolist() == [30.0, 25.0, 21.0]
    assert peaks.labels.tolist() == [0, 0, 1]
    assert select_peaks(maps, peak_threshold=22.0).positions.tolist() == [[0, 1, 1], [0, 4, 4]]


def test_the_threshold_falls_to_the_highest_peak(maps):
    assert select_peaks(maps / 10, class_threshold=0.5).positions.tolist() == [[0, 1, 1]]
    assert len(select_peaks(maps / 10, class_threshold=0.5, fall_back=False).positions) == 0


def test_all_classes_enter_where_none_passes(maps):
    low = maps - 100
    assert len(select_peaks(low, peak_threshold=None, fall_back=False).positions) == 0
    assert {0, 1, 2} == set(select_peaks(low, peak_threshold=None).labels.tolist())
    assert select_peaks(low).positions.tolist() == [[0, 1, 1]]


def test_no_peak_threshold_keeps_what_is_above_the_median(maps):
    found = select_peaks(maps, peak_threshold=None).positions.tolist()
    assert [0, 1, 4] in found
    assert all(label != 2 for label, _, _ in found)  # its score, the mean with the background's peak, is below 0.5


def test_counts_limit_the_peaks_of_a_class(maps):
    for counts, expected in (
        ([1.4, 0.6, 5.0], [[0, 1, 1], [1, 2, 2]]),
        ([2.0, 0.4, 0.0], [[0, 1, 1], [0, 4, 4]]),
        ([-1.0, 0.0, 0.0], []),
    ):
        assert select_peaks(maps, counts=torch.tensor(counts)).positions.tolist() == expected


def test_equal_values_go_to_the_first():
    maps = torch.zeros(1, 5, 9)
    maps[0, 2, [1, 4, 7]] = 25.0
    assert select_peaks(maps, counts=torch.tensor([2.0])).positions.tolist() == [[0, 2, 1], [0, 2, 4]]


def test_shapes_are_checked(maps):
    with pytest.raises(ValueError, match=r'\(C, h, w\)'):
        select_peaks(maps[None])
    with pytest.raises(ValueError, match='counts must be'):
        select_peaks(maps, counts=torch.zeros(2))
