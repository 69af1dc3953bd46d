"""Dot maps: published rounding, exact numbers, borders, classes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.codecs import DotMapCodec
from mmcount.structures import Objects


def dots(codec, points, img_shape, labels=None):
    return codec.encode(Objects(np.array(points).reshape(-1, 2), labels), codec.grid(img_shape))['data']


def test_published_rounding():
    # (16, 16) of the published case is outside of an image of 16 px: a crop keeps its pixels and no more.
    points = [(3, 4), (7.6, 2), (7.5, 7.5), (15.49, 15.49), (8.5, 12.2)]
    assert dots(DotMapCodec(), points, (16, 16)).tolist() == [[[1, 1], [0, 3]]]
    assert dots(DotMapCodec(), [*points, (16, 16)], (16, 16)).sum() == 5


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 9),
    st.integers(0, 30),
    st.integers(0, 10**6),
)
def test_the_map_holds_exactly_the_objects_inside(img_shape, stride, number, seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-3, 44, (number, 2))
    codec = DotMapCodec(stride=stride, num_classes=2)
    labels = rng.integers(0, 2, number)
    found = dots(codec, points, img_shape, labels)
    inside = Objects(points, labels).inside(img_shape)
    assert found.shape == (2, *codec.grid(img_shape).shape)
    assert found.sum(axis=(1, 2)).tolist() == np.bincount(inside.labels, minlength=2).tolist()
    decoded = codec.decode((torch.from_numpy(found),), codec.grid(img_shape))
    assert decoded.counts.tolist() == found.sum(axis=(1, 2)).tolist()
    assert len(decoded.points) == 0


def test_a_group_counts_its_objects():
    codec = DotMapCodec()
    group = Objects([[3.0, 3.0]], counts=np.array([4]))
    assert codec.encode(group, codec.grid((16, 16)))['data'].tolist() == [[[4, 0], [0, 0]]]


def test_wrong_labels_and_maps_are_refused():
    codec = DotMapCodec()
    with pytest.raises(ValueError, match=r'labels must be in 0\.\.0, got 1\.\.1'):
        dots(codec, [(1, 1)], (8, 8), [1])
    with pytest.raises(ValueError, match=r'has a map of \(1, 2, 2\) at stride 8, got \(1, 2, 3\)'):
        codec.decode((torch.zeros(1, 2, 3),), codec.grid((16, 16)))
