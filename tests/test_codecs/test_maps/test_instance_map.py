"""Instance maps: against the published routine as described, one step at a time; round trips; degenerate inputs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mmcount.codecs import BOX_RULES, BoxRule, InstanceMapCodec
from mmcount.codecs.maps.instance_rules import nearest_others, point_half_sizes, shrink_boxes
from mmcount.registry import CODECS
from tests.encoding import decoded, encoded

# cap, floor, gap of the third (None: that of the pair), whether overlap reduces the gap, rounds
PUBLISHED = {
    'nwpu': (25, 2, 3, True, 41),
    'shha': (25, 1, None, False, 51),
    'shhb': (25, 1, None, True, 41),
    'qnrf': (15, 2, 3, True, 41),
}


def published_map(boxes, shape, cap, floor, third_gap, reduces, max_rounds):
    """All distances, a full sort per head, sizes shrunk in place with floating-point products."""
    centres = [(int((x1 + x2) / 2), int((y1 + y2) / 2)) for x1, y1, x2, y2 in boxes]
    sizes = [[min(int(max((x2 - x1) / 2, 3)), cap), min(int(max((y2 - y1) / 2, 3)), cap)] for x1, y1, x2, y2 in boxes]

    def overlap(a, b):
        return [sizes[a][axis] + sizes[b][axis] - abs(centres[a][axis] - centres[b][axis]) for axis in (0, 1)]

    def shrink(a):
        sizes[a] = [max(int(size * 0.9), floor) for size in sizes[a]]

    def area(a):
        return sizes[a][0] * sizes[a][1]

    for i in range(len(boxes)):
        squares = ((np.array(centres) - centres[i]) ** 2).sum(axis=1).tolist()
        others = sorted((square, j) for j, square in enumerate(squares) if j != i)
        for place, (_, j) in enumerate(others[:4]):
            over = overlap(i, j)
            if reduces and over[0] > 0 and over[1] > 0:
                gap = [-int(max(sizes[i][a] - over[a] / 2, sizes[j][a] - over[a] / 2) / 2) for a in (0, 1)]
            else:
                gap = [-int(max(sizes[i][a], sizes[j][a]) / 2) for a in (0, 1)]
            rounds = 0
            while over[0] > gap[0] and over[1] > gap[1] and rounds < max_rounds:
                shrink(i if area(i) >= area(j) else j)
                if len(boxes) >= 3 and place + 1 < len(others):
                    k = others[place + 1][1]
                    limit = gap if third_gap is None else [-third_gap, -third_gap]
                    far = overlap(i, k)
                    if area(k) > area(i) and area(k) > area(j) and far[0] > limit[0] and far[1] > limit[1]:
                        shrink(k)
                over = overlap(i, j)
                rounds += 1
    canvas = np.zeros(shape, dtype=np.float32)
    for (x, y), (w, h) in zip(centres, sizes, strict=True):
        if 0 < x < shape[1] and 0 < y < shape[0]:
            canvas[max(y - h, 0) : max(y + h, 0), max(x - w, 0) : max(x + w, 0)] = 1
    return canvas


def random_boxes(rng, number, shape, whole):
    """Crowds with groups of equal centres, boxes over the border, and boxes without extent."""
    centres = rng.uniform(-6, 6 + max(shape), (number, 2))
    if number > 2:
        centres[rng.integers(0, number, number // 4)] = centres[0]
    sides = np.exp(rng.uniform(0, 4.5, (number, 1))) * rng.uniform(0, 1.4, (number, 2))
    boxes = np.concatenate((centres - sides / 2, centres + sides / 2), axis=1)
    return boxes.round() if whole else boxes


def encode(codec, objects, shape):
    return encoded(codec, objects, np.zeros(len(objects), dtype=int), shape)[0]


@pytest.mark.parametrize('rule', PUBLISHED)
@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=st.integers(0, 9999), number=st.sampled_from((0, 1, 2, 3, 4, 5, 6, 25, 90)), whole=st.booleans())
def test_maps_are_those_of_the_published_routine_to_the_pixel(rule, seed, number, whole):
    shape = (70, 110)
    boxes = random_boxes(np.random.default_rng(seed), number, shape, whole)
    expected = published_map(boxes.tolist(), shape, *PUBLISHED[rule])
    np.testing.assert_array_equal(encode(InstanceMapCodec(rule=rule), boxes, shape), expected)


def test_few_of_600_random_heads_are_merged():
    rng = np.random.default_rng(0)
    centres, sides = rng.integers(0, (640, 480), (600, 2)), rng.integers(6, 40, (600, 2))
    boxes = np.concatenate((centres - sides // 2, centres + sides // 2), axis=1)
    for rule in ('nwpu', 'shha', 'shhb', 'qnrf'):
        components = ndimage.label(encode(InstanceMapCodec(rule=rule), boxes, (480, 640)))[1]
        assert 0.91 * 600 <= components < 600


def test_data_sets_that_share_a_rule():
    assert (BOX_RULES['jhu'], BOX_RULES['fdst']) == (BOX_RULES['qnrf'], BOX_RULES['nwpu'])


def test_sizes_of_lone_boxes():
    def size(rule, side):
        painted = encode(InstanceMapCodec(rule=rule), np.array([[100, 100, 100 + side, 100 + side]]), (500, 500))
        return np.ptp(np.nonzero(painted), axis=1) + 1

    for rule, (cap, *_) in PUBLISHED.items():
        assert size(rule, 2).tolist() == [6, 6]
        assert size(rule, 20).tolist() == [20, 20]
        assert size(rule, 300).tolist() == [2 * cap, 2 * cap]
    assert size('original', 300).tolist() == [300, 300]
    assert size('original', 2).tolist() == [2, 2]
    assert size('original', 0).tolist() == [2, 2]


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 9999), rule=st.sampled_from(('nwpu', 'shha', 'shhb', 'qnrf')))
def test_two_boxes_keep_their_gap_on_one_axis(seed, rule):
    rng = np.random.default_rng(seed)
    centres, halves = rng.integers(0, 60, (2, 2)), rng.integers(3, 25, (2, 2))
    if np.abs(np.diff(centres, axis=0)).max() < 12:
        return  # too close for the floors
    shrunk = shrink_boxes(centres, halves, BOX_RULES[rule])
    assert (shrunk <= halves).all()
    gaps = np.abs(np.diff(centres, axis=0))[0] - shrunk.sum(axis=0)
    assert gaps.max() >= 1


def test_the_centre_in_the_first_row_is_skipped_as_published_and_painted_on_demand():
    boxes = np.array([[-5, 10, 6, 20], [40, -7, 50, 7], [60, 80, 70, 101]])
    assert encode(InstanceMapCodec(), boxes, (90, 90)).sum() == 0
    assert encode(InstanceMapCodec(outside='paint'), boxes, (90, 90)).sum() == 5 * 10 + 10 * 7 + 10 * 10


@pytest.mark.parametrize('geometry', ['bboxes', 'points'])
@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=st.integers(0, 9999), left=st.integers(0, 40), top=st.integers(0, 30))
def test_the_map_of_a_crop_is_the_crop_of_the_map(geometry, seed, left, top):
    boxes = random_boxes(np.random.default_rng(seed), 40, (70, 110), whole=False)
    objects = boxes if geometry == 'bboxes' else boxes[:, :2]
    codec = InstanceMapCodec(geometry, outside='paint')
    whole = encode(codec, objects, (70, 110))
    offset = np.tile([left, top], objects.shape[1] // 2)
    crop = encode(codec, objects - offset, (40, 70))
    np.testing.assert_array_equal(crop, whole[top : top + 40, left : left + 70])


def test_points_become_squares_of_a_quarter_of_the_distance():
    assert point_half_sizes(np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 100.0]]), 15).tolist() == [2, 2, 15]
    assert point_half_sizes(np.array([[3.0, 3.0], [3.0, 3.0], [3.0, 4.0]]), 15).tolist() == [0, 0, 0]
    assert point_half_sizes(np.zeros((0, 2)), 15).tolist() == []
    painted = encode(InstanceMapCodec('points'), np.array([[50.2, 49.7]]), (100, 100))
    assert painted[35:66, 35:66].all()
    assert painted.sum() == 31 * 31
    assert encode(InstanceMapCodec('points', max_half_size=25), np.array([[50, 50]]), (101, 101)).sum() == 51**2
    # Points outside paint nothing, but are neighbours still.
    painted = encode(InstanceMapCodec('points'), np.array([[0.0, 5.0], [-8.0, 5.0]]), (20, 20))
    assert painted[3:8, :3].all()
    assert painted.sum() == 15


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 9999), number=st.sampled_from((0, 1, 2, 30, 400)), side=st.sampled_from((2, 6, 40)))
def test_nearest_others_are_ordered_by_distance_and_index(seed, number, side):
    points = np.random.default_rng(seed).integers(0, side, (number, 2))
    found = nearest_others(points, 5)
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    for index in range(number):
        others = sorted((int(squares[index, j]), j) for j in range(number) if j != index)[:5]
        assert found[index].tolist() == [j for _, j in others] + [-1] * (5 - len(others))


@pytest.mark.parametrize('geometry', ['bboxes', 'points'])
@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    seed=st.integers(0, 9999),
    number=st.integers(0, 60),
    num_classes=st.integers(1, 3),
    stride=st.sampled_from((1, 2, 3)),
)
def test_round_trip_counts_the_separate_objects_where_they_are(geometry, seed, number, num_classes, stride):
    """At most one object in each 24-cell square of a grid, at least 15 cells from any other and from the border."""
    rng = np.random.default_rng(seed)
    places = rng.permutation(80)[:number]
    cells = np.stack((places % 10, places // 10), axis=1) * 24 + rng.integers(8, 17, (number, 2))
    labels = rng.integers(0, num_classes, number)
    centres = cells * stride
    if geometry == 'bboxes':
        halves = rng.integers(3, 8, (number, 2)) * stride
        objects = np.concatenate((centres - halves, centres + halves), axis=1)
        middle = centres - 0.5
    else:
        objects = middle = centres + (stride - 1) / 2
    shape = (192 * stride - (stride > 1), 240 * stride - (stride > 1))
    codec = InstanceMapCodec(geometry, num_classes=num_classes, stride=stride, max_half_size=7)
    target = torch.from_numpy(encoded(codec, objects, labels, shape))
    found = decoded(codec, target, shape)
    assert target.shape == (num_classes, *codec.grid(shape).shape)
    assert found.counts.tolist() == np.bincount(labels, minlength=num_classes).tolist()
    assert found.density.sum(dim=(1, 2)).tolist() == found.counts.tolist()
    assert sorted(found.labels.tolist()) == sorted(labels.tolist())
    assert (found.scores == 1).all()
    for label in range(num_classes):
        mine = {tuple(point) for point in middle[labels == label].tolist()}
        assert {tuple(point) for point in found.points[found.labels == label].tolist()} == mine
    assert ((found.bboxes[:, :2] < found.points) & (found.points < found.bboxes[:, 2:])).all()


def test_original_sizes_come_back_as_boxes_where_they_are_apart():
    boxes = np.array([[10, 10, 90, 130], [200, 20, 206, 24], [120, 150, 320, 290]])
    found = decoded(
        InstanceMapCodec(rule='original'),
        torch.from_numpy(encoded(InstanceMapCodec(rule='original'), boxes, np.zeros(3, int), (300, 400))),
        (300, 400),
    )
    assert sorted(found.bboxes.tolist()) == sorted(boxes.tolist())
    touching = np.array([[10, 10, 110, 110], [110, 10, 210, 110], [300, 10, 310, 20]])
    painted = encode(InstanceMapCodec(rule='original'), touching, (120, 400))
    assert ndimage.label(painted)[1] == 3
    assert painted.sum() > 0.7 * (2 * 100**2) + 100


def test_decode_keeps_large_enough_components_at_their_centroids():
    output = torch.zeros(1, 12, 16)
    output[0, 1, 1:4] = torch.tensor([0.6, 0.9, 0.9])  # three cells in a row
    output[0, 3:5, 8] = 0.9  # two cells: too small
    output[0, 6:9, 5] = 0.8  # an L, whose centroid is not the centre of its box
    output[0, 8, 5:8] = 0.8
    output[0, 9, 8] = 0.8  # touches it at a corner only
    found = decoded(InstanceMapCodec(density_cell=1), output, (12, 16))
    assert found.counts.tolist() == [2.0]
    torch.testing.assert_close(found.points, torch.tensor([[2.0, 1.0], [5.6, 7.4]]))
    assert found.bboxes.tolist() == [[1.0, 1.0, 4.0, 2.0], [5.0, 6.0, 8.0, 9.0]]
    torch.testing.assert_close(found.scores, torch.tensor([0.8, 0.8]))
    assert found.density[0].nonzero().tolist() == [[1, 2], [7, 6]]
    assert decoded(InstanceMapCodec(min_area=1), output, (12, 16)).counts.tolist() == [4.0]
    assert decoded(InstanceMapCodec(threshold=0.85), output, (12, 16)).counts.tolist() == [0.0]


@pytest.mark.parametrize('per_class', [False, True])
def test_decode_takes_a_map_of_thresholds(per_class):
    rng = torch.Generator().manual_seed(3)
    output, threshold = torch.rand(2, 60, 80, generator=rng), torch.rand(2, 60, 80, generator=rng) * 0.5 + 0.2
    if not per_class:
        threshold = threshold[0]
    found = decoded(InstanceMapCodec(num_classes=2), output, (60, 80), threshold=threshold)
    masks = (output >= threshold).numpy()
    for label, mask in enumerate(masks):
        blobs, number = ndimage.label(mask)
        areas = ndimage.sum_labels(mask, blobs, np.arange(1, number + 1))
        assert found.counts[label] == (areas >= 3).sum()
    assert found.density.sum(dim=(1, 2)).tolist() == found.counts.tolist()


def test_two_components_with_one_centroid_count_two():
    ring = torch.zeros(1, 9, 9)
    ring[0, 1:8, 1:8] = 1
    ring[0, 2:7, 2:7] = 0
    ring[0, 3:6, 3:6] = 1
    found = decoded(InstanceMapCodec(density_cell=1), ring, (9, 9))
    assert (found.counts.item(), found.density.sum().item(), found.density[0, 4, 4].item()) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize('number', [0, 1, 2, 13000])
def test_any_number_of_objects_at_one_place(number):
    boxes = np.tile([[40.0, 30.0, 48.0, 40.0]], (number, 1))
    for rule in ('nwpu', 'shha') if number < 100 else ('nwpu',):
        painted = encode(InstanceMapCodec(rule=rule), boxes, (64, 80))
        assert ndimage.label(painted)[1] == min(number, 1)
    painted = encode(InstanceMapCodec('points'), boxes[:, :2], (64, 80))
    assert ndimage.label(painted)[1] == min(number, 1)


def test_without_objects_the_map_is_empty():
    for geometry, empty in (('bboxes', np.zeros((0, 4))), ('points', np.zeros((0, 2)))):
        target = encoded(InstanceMapCodec(geometry), empty, np.zeros(0, int), (7, 9))
        assert target.shape == (1, 7, 9)
        assert not target.any()
    nothing = decoded(InstanceMapCodec(), torch.zeros(1, 7, 9), (7, 9))
    assert (nothing.counts.tolist(), nothing.points.shape, nothing.bboxes.shape) == ([0.0], (0, 2), (0, 4))


def test_rules_by_name_by_arguments_and_from_the_registry():
    assert CODECS.build(dict(type='InstanceMapCodec', rule='qnrf')).rule == BOX_RULES['qnrf']
    built = CODECS.build(dict(type='mmcount.InstanceMapCodec', rule=dict(max_half_size=9, floor=1), max_half_size=2))
    assert built.rule == BoxRule(max_half_size=2, min_half_size=2, floor=1)
    assert InstanceMapCodec(rule=BOX_RULES['shha']).rule is not None


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(geometry='boxes'), "geometry must be 'bboxes' or 'points', got 'boxes'"),
        (dict(rule='ucf'), "rule must be one of .*'nwpu'.* got 'ucf'"),
        (dict(rule=dict(cap=3)), 'rule has an argument that BoxRule does not have'),
        (dict(rule=dict(floor=0)), 'sizes must be at least 1'),
        (dict(rule=dict(gap=-1)), 'gaps must not be negative'),
        (dict(rule=dict(max_half_size=2)), 'max_half_size must be at least min_half_size'),
        (dict(outside='clip'), "outside must be 'skip' or 'paint'"),
        (dict(min_area=0), 'min_area must be at least 1'),
        (dict(max_half_size=0), 'max_half_size must be at least 1'),
        (dict(stride=0), 'stride must be at least 1'),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        InstanceMapCodec(**options)


def test_wrong_inputs_are_refused():
    codec, one = InstanceMapCodec(), np.zeros(1, dtype=int)
    with pytest.raises(ValueError, match='the codec paints boxes, but the objects are points'):
        encoded(codec, np.zeros((1, 2)), one, (9, 9))
    with pytest.raises(ValueError, match='object 0 must be finite'):
        encoded(codec, np.array([[0, 0, np.nan, 1]]), one, (9, 9))
    with pytest.raises(ValueError, match=r'labels must be in 0\.\.0'):
        encoded(codec, np.ones((1, 4)), one + 1, (9, 9))
    with pytest.raises(ValueError, match='needs crops with no halo'):
        encoded(codec, np.ones((1, 4)), one, (9, 9), halo=8)
    with pytest.raises(ValueError, match=r'has a map of \(1, 9, 9\)'):
        decoded(codec, torch.zeros(1, 8, 9), (9, 9))
    with pytest.raises(ValueError, match='threshold map must have the shape'):
        decoded(codec, torch.zeros(1, 9, 9), (9, 9), threshold=torch.zeros(3, 3))


@pytest.mark.parametrize(('stride', 'cell'), [(1, 1), (1, 4), (2, 3)])
def test_the_density_has_one_object_in_the_cell_of_each_point(stride, cell):
    rng = torch.Generator().manual_seed(5)
    codec = InstanceMapCodec(num_classes=2, stride=stride, density_cell=cell, min_area=1)
    shape = (45, 62)
    found = decoded(codec, (torch.rand(2, *codec.grid(shape).shape, generator=rng) > 0.8).float(), shape)
    side = stride * cell
    expected = torch.zeros(2, -(-45 // side), -(-62 // side))
    for (x, y), label in zip(found.points.tolist(), found.labels.tolist(), strict=True):
        expected[label, int((y + 0.5) // side), int((x + 0.5) // side)] += 1
    assert torch.equal(found.density, expected)
    height, width = expected.shape[1:]
    assert found.extent == (-0.5, -0.5, width * side - 0.5, height * side - 0.5)
    with pytest.raises(ValueError, match='density_cell must be at least 1, got 0'):
        InstanceMapCodec(density_cell=0)
