"""Point proposals: published reference points and order of channels, what is kept, borders, refusals."""

import pytest
import torch

from mmcount.codecs import PointProposalCodec
from mmcount.registry import CODECS
from mmcount.structures import Objects


def references(codec, img_shape):
    return codec.reference_points(codec.grid(img_shape), torch.zeros(1)).tolist()


def maps_of(codec, grid):
    """Maps of zeros: each proposal at its reference point with a probability of 0.5."""
    channels = (2, codec.num_classes + 1)
    return tuple(torch.zeros(codec.proposals_per_cell * number, *grid.shape) for number in channels)


def test_published_reference_points():
    points = references(PointProposalCodec(), (24, 32))
    assert len(points) == 48
    assert points[:8] == [[2, 2], [6, 2], [2, 6], [6, 6], [10, 2], [14, 2], [10, 6], [14, 6]]
    assert points[-4:] == [[26, 18], [30, 18], [26, 22], [30, 22]]


def test_published_reference_points_of_four_rows():
    points = references(PointProposalCodec(rows=4, columns=2), (8, 8))
    assert points == [[2, 1], [6, 1], [2, 3], [6, 3], [2, 5], [6, 5], [2, 7], [6, 7]]


def test_a_last_cell_in_part_has_its_reference_points():
    assert len(references(PointProposalCodec(), (17, 9))) == 3 * 2 * 4


def test_channels_of_a_proposal_lie_side_by_side():
    codec = PointProposalCodec()
    grid = codec.grid((24, 32))
    offsets, logits = maps_of(codec, grid)
    # Proposal 2 of cell (1, 3): x and y at channels 4 and 5, person at 5.
    offsets[4, 1, 3], offsets[5, 1, 3], logits[5, 1, 3] = 0.01, -0.02, 3.0
    points, rows = codec.proposals((offsets, logits), grid)
    index = (1 * 4 + 3) * 4 + 2
    torch.testing.assert_close(points[index], torch.tensor([26.0 + 1, 14.0 - 2]))
    assert rows[index].tolist() == [0, 3]
    assert (rows[torch.arange(48) != index] == 0).all()


def test_kept_are_the_proposals_above_the_threshold():
    codec = PointProposalCodec()
    grid = codec.grid((16, 16))
    offsets, logits = maps_of(codec, grid)
    assert codec.decode((offsets, logits), grid).counts.tolist() == [0]  # 0.5 is not above 0.5
    logits[1, 0, 0], logits[3, 0, 0], logits[7, 1, 1] = 1.0, 1e-3, -1.0
    found = codec.decode((offsets, logits), grid)
    assert found.counts.tolist() == [2]
    assert found.points.tolist() == [[2, 2], [6, 2]]  # side by side, and both stay
    torch.testing.assert_close(found.scores, torch.tensor([1.0, 1e-3]).sigmoid())
    assert found.density.shape == (1, 2, 2)
    assert found.density[0, 0, 0] == 2
    assert found.density.sum() == found.counts.sum()


@pytest.mark.parametrize('keep_outside', [False, True])
def test_proposals_beyond_the_border_count_only_where_asked_for(keep_outside):
    codec = PointProposalCodec(keep_outside=keep_outside)
    grid = codec.grid((12, 12))
    offsets, logits = maps_of(codec, grid)
    logits[1] = 5.0  # reference points (2, 2), (10, 2), (2, 10), (10, 10)
    offsets[0, 0, 0] = -0.05  # to x = -3
    offsets[1, 1, 1] = 0.02  # to y = 12
    found = codec.decode((offsets, logits), grid)
    assert found.counts.tolist() == [4 if keep_outside else 2]
    assert found.density.sum() == found.counts.sum()
    if not keep_outside:
        assert found.points.tolist() == [[10, 2], [2, 10]]


def test_each_class_has_a_logit_and_the_most_probable_one_wins():
    codec = PointProposalCodec(rows=1, columns=1, num_classes=2)
    grid = codec.grid((8, 24))
    offsets, logits = maps_of(codec, grid)
    logits[:, 0, 0] = torch.tensor([0.0, 1.0, 3.0])
    logits[:, 0, 1] = torch.tensor([0.0, 2.0, 0.0])
    logits[:, 0, 2] = torch.tensor([0.0, 2.0, 2.0])  # an object, and below one half of each class
    found = codec.decode((offsets, logits), grid)
    assert found.labels.tolist() == [1, 0]
    assert found.counts.tolist() == [1, 1]
    assert found.density.sum(dim=(1, 2)).tolist() == [1, 1]


def test_there_is_no_target_map():
    codec = PointProposalCodec()
    assert codec.encode(Objects([[1.0, 2.0]]), codec.grid((8, 8))) == {}


@pytest.mark.parametrize(
    ('shapes', 'found'),
    [
        (((8, 2, 2), (4, 2, 2)), r'\(4, 2, 2\)'),
        (((8, 2, 1), (8, 2, 1)), r'\(8, 2, 1\)'),
        (((8, 2, 2),), r'\[\(8, 2, 2\)\]'),
    ],
)
def test_maps_of_another_shape_are_refused(shapes, found):
    codec = PointProposalCodec()
    with pytest.raises(ValueError, match=rf'4 proposals per cell of 1 classes .*got .*{found}'):
        codec.decode(tuple(torch.zeros(shape) for shape in shapes), codec.grid((16, 16)))


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        (dict(rows=0), 'rows and columns must be at least 1, got 0 and 2'),
        (dict(columns=-1), 'rows and columns must be at least 1, got 2 and -1'),
        (dict(offset_scale=0.0), 'offset_scale must be positive, got 0'),
        (dict(score_thr=1.0), r'score_thr must be in \[0, 1\), got 1'),
    ],
)
def test_options_out_of_range_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        CODECS.build(dict(type='mmcount.PointProposalCodec', **option))
