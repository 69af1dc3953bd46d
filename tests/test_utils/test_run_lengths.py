"""COCO's run lengths are checked before a C library trusts them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from mmcount.datasets.formats.coco_masks import bitmap
from mmcount.evaluation.functional.mask_overlap import encode_masks
from mmcount.utils.run_lengths import checked_runs, read_counts


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 999),
    share=st.sampled_from([0, 0.1, 0.5, 1]),
)
def test_compressed_counts_are_those_of_pycocotools(height, width, seed, share):
    mask = (np.random.default_rng(seed).random((height, width)) < share).astype(np.uint8)
    code = coco_mask.encode(np.asfortranarray(mask))
    runs = checked_runs(code)
    assert runs == checked_runs({**code, 'counts': code['counts'].decode()})
    assert np.array_equal(coco_mask.decode(coco_mask.frPyObjects(runs, height, width)), mask)


DAMAGED = [
    (dict(size=[4, 4], counts='0121'), 'the runs add up to 5 pixels, expected 4 x 4'),
    (dict(size=[4, 4], counts='\x7f'), 'which no run-length code has'),
    (dict(size=[4, 4], counts='P'), 'ends in the middle of a number'),
    (dict(size=[4, 4], counts=[3, -1, 14]), 'list of whole numbers'),
    (dict(size=[4], counts=[16]), r"'size' must be \[height, width\]"),
    (dict(counts=[16]), "'size' and 'counts'"),
]


@pytest.mark.parametrize(('code', 'message'), DAMAGED)
def test_damaged_codes_are_refused_wherever_they_are_read(code, message):
    with pytest.raises(ValueError, match=message):
        checked_runs(code)
    with pytest.raises(ValueError, match=f'mask 3 of a.jpg cannot be read as COCO run lengths: .*{message}'):
        bitmap(code, None, 'mask 3 of a.jpg')
    with pytest.raises(ValueError, match=f'mask 0: .*{message}'):
        encode_masks([code])


def test_numbers_may_come_from_numpy():
    assert checked_runs(dict(size=[np.int64(2), 2], counts=[np.int32(1), 3]))['size'] == [2, 2]
    assert read_counts(b'04') == [0, 4]
