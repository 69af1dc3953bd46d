import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.datasets import CountSplit

sizes = st.integers(0, 40)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(sizes, sizes, sizes, st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_subsets_are_disjoint_sorted_and_of_the_asked_size(num_train, num_val, num_test, unused, seed):
    split = CountSplit(num_train, num_val, num_test, seed)
    total = num_train + num_val + num_test + unused
    parts = [split.indices(total, subset) for subset in ('train', 'val', 'test')]
    assert [len(part) for part in parts] == [num_train, num_val, num_test]
    assert all(part == sorted(part) for part in parts)
    everything = [index for part in parts for index in part]
    assert len(set(everything)) == len(everything)
    assert set(everything) <= set(range(total))


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.integers(0, 1000))
def test_test_images_do_not_depend_on_the_training_size_and_training_sets_are_nested(seed):
    small, large = (CountSplit(num_train=n, num_test=100, seed=seed) for n in (8, 50))
    assert small.indices(200, 'test') == large.indices(200, 'test')
    assert set(small.indices(200, 'train')) < set(large.indices(200, 'train'))


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    first = CountSplit(seed=0).indices(200, 'train')
    assert first == CountSplit(seed=0).indices(200, 'train')
    assert first != CountSplit(seed=1).indices(200, 'train')


def test_the_split_of_a_seed_never_changes():
    # written down once: a changed shuffle would silently change every published number
    split = CountSplit(num_train=3, num_val=2, num_test=4, seed=0)
    assert split.indices(10, 'train') == [2, 4, 6]
    assert split.indices(10, 'val') == [3, 7]
    assert split.indices(10, 'test') == [0, 1, 8, 9]


def test_validation_takes_as_many_images_as_training_by_default():
    split = CountSplit(num_train=8)
    assert split.num_val == 8
    assert len(split.indices(200, 'val')) == 8


def test_too_few_images_are_an_error_with_all_numbers():
    with pytest.raises(ValueError, match=r'50 training \+ 50 validation \+ 101 test images needs 201 .* only 200'):
        CountSplit(50, 50, 101).indices(200, 'train')


def test_an_unknown_subset_is_an_error():
    with pytest.raises(ValueError, match="got 'tets'"):
        CountSplit().indices(200, 'tets')


@pytest.mark.parametrize(
    ('arguments', 'error'),
    [
        ({'num_train': -1}, ValueError),
        ({'seed': 1.5}, TypeError),
        ({'num_test': '3'}, TypeError),
        ({'seed': True}, TypeError),
    ],
)
def test_wrong_sizes_are_errors_that_name_the_argument(arguments, error):
    with pytest.raises(error, match=next(iter(arguments))):
        CountSplit(**arguments)


@pytest.mark.parametrize('total', [3, 4, 7, 10, 51, 200])
def test_shares_use_every_image_once_whatever_the_number(total):
    split = CountSplit(num_train=0.6, num_val=0.2, num_test=0.2, seed=1)
    subsets = [split.indices(total, subset) for subset in ('train', 'val', 'test')]
    assert all(subsets)
    joined = [index for subset in subsets for index in subset]
    assert len(joined) == len(set(joined)) <= total
    assert len(joined) >= total - 1


def test_a_share_of_one_or_more_is_refused():
    with pytest.raises(ValueError, match='share below 1'):
        CountSplit(num_train=1.5)
