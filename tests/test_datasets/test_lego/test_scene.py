import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.datasets.lego.groups import enclosing_boxes, overlap_of_smaller
from mmcount.datasets.lego.options import SceneOptions
from mmcount.datasets.lego.parts import load_parts
from mmcount.datasets.lego.render import light
from mmcount.datasets.lego.scene import make_scene

DIGITS = {'layout': 'single', 'class_mode': 'mixed', 'part_size': 12}


def scenes(number=8, **options):
    options = SceneOptions(**options)
    return [make_scene(options, load_parts(), np.random.default_rng([5, 0, i])) for i in range(number)]


def box_of(mask):
    ys, xs = np.nonzero(mask)
    return [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def check_scene(scene, options):
    """Everything that holds for any scene."""
    number = len(scene.boxes)
    assert scene.image.shape == scene.canvas == options.canvas
    assert len(scene.labels) == len(scene.group_ids) == len(scene.items) == number
    assert set(scene.labels) <= set(range(len(options.class_names)))
    per_object = 1 if options.layout == 'single' else 3
    assert scene.part_owners.tolist() == np.repeat(np.arange(number), per_object).tolist()
    for masks, boxes in (
        (scene.object_masks(), scene.boxes),
        (scene.part_masks(), scene.part_boxes),
        (scene.group_masks(), scene.group_boxes),
    ):
        assert [box_of(mask) for mask in masks] == boxes.tolist()
        assert all(mask.shape == options.canvas and mask.max() == 1 for mask in masks)
    assert scene.group_counts.sum() == number
    np.testing.assert_array_equal(enclosing_boxes(scene.boxes, scene.group_ids), scene.group_boxes)
    np.testing.assert_array_equal(scene.group_labels[scene.group_ids], scene.labels)
    if options.background == 'black':
        union = np.zeros(options.canvas, dtype=bool)
        for mask in scene.object_masks():
            union |= mask > 0
        np.testing.assert_array_equal(scene.image > 0, union)


@st.composite
def scene_options(draw):
    low = draw(st.floats(0.5, 1))
    return SceneOptions(
        canvas=(draw(st.integers(120, 150)), draw(st.integers(120, 150))),
        layout=draw(st.sampled_from(['triple', 'single'])),
        classes=draw(st.sampled_from([None, (3,), (1, 9, 4)])),
        merge_classes=draw(st.booleans()),
        class_mode=draw(st.sampled_from(['one', 'mixed'])),
        num_objects=(0, draw(st.integers(0, 12))),
        empty_prob=draw(st.sampled_from([0.0, 0.5])),
        part_size=draw(st.floats(8, 16)),
        scale_range=(low, low + draw(st.floats(0, 0.5))),
        orient_range=draw(st.sampled_from([(-15, 15), (0, 0), (-180, 180)])),
        background=draw(st.sampled_from(['photo', 'noise', 'black'])),
        max_overlap=draw(st.sampled_from([0.0, 0.05, 0.7])),
        min_gap=draw(st.sampled_from([0.0, 3.0])),
        center_jitter=draw(st.sampled_from([None, 6])),
        stack_prob=draw(st.sampled_from([0.0, 0.7])),
        group_overlap=draw(st.sampled_from([0.0, 0.5])),
    )


@given(scene_options(), st.integers(0, 2**32 - 1))
@settings(deadline=None, derandomize=True, max_examples=50)
def test_annotation_tells_the_truth_for_any_options(options, seed):
    scene = make_scene(options, load_parts(), np.random.default_rng(seed))
    check_scene(scene, options)
    unpainted = make_scene(options, load_parts(), np.random.default_rng(seed), paint=False)
    assert unpainted.image is None
    np.testing.assert_array_equal(unpainted.boxes, scene.boxes)
    np.testing.assert_array_equal(unpainted.labels, scene.labels)


@pytest.mark.parametrize('max_overlap', [0.0, 0.05, 0.3])
def test_boxes_overlap_at_most_as_allowed(max_overlap):
    seen = 0.0
    for scene in scenes(**DIGITS, num_objects=30, max_overlap=max_overlap):
        overlap = overlap_of_smaller(scene.boxes, scene.boxes)
        np.fill_diagonal(overlap, 0)
        seen = max(seen, overlap.max())
    assert max_overlap * 0.5 <= seen <= max_overlap


@pytest.mark.parametrize('min_gap', [2, 5.5])
def test_min_gap_is_kept(min_gap):
    for scene in scenes(**DIGITS, num_objects=15, min_gap=min_gap):
        assert len(scene.boxes) > 5
        low, high = scene.boxes[:, :2], scene.boxes[:, 2:]
        gap = np.maximum(low[:, None] - high[None], low[None] - high[:, None]).max(axis=2)
        np.fill_diagonal(gap, np.inf)
        assert gap.min() >= min_gap


def test_min_gap_also_keeps_stacks_apart():
    for scene in scenes(**DIGITS, num_objects=15, min_gap=4, stack_prob=0.6):
        low, high = scene.group_boxes[:, :2], scene.group_boxes[:, 2:]
        assert (scene.group_counts > 1).any()
        members = scene.group_ids[:, None] == scene.group_ids[None]
        low, high = scene.boxes[:, :2], scene.boxes[:, 2:]
        gap = np.maximum(low[:, None] - high[None], low[None] - high[:, None]).max(axis=2)
        assert gap[~members].min() >= 4


def test_full_canvas_places_fewer_objects_and_counts_only_those():
    for scene in scenes(4, **DIGITS, num_objects=200, max_overlap=0):
        assert 10 < len(scene.boxes) < 200
        assert scene.group_counts.sum() == len(scene.boxes) == len(scene.object_masks())


def test_scenes_without_objects_are_background_only():
    for scene in scenes(4, num_objects=0):
        check_scene(scene, SceneOptions(num_objects=0))
        assert scene.boxes.shape == scene.part_boxes.shape == scene.group_boxes.shape == (0, 4)
        assert scene.image.max() > 0


def test_empty_prob_is_the_share_of_empty_scenes():
    numbers = [len(scene.boxes) for scene in scenes(200, **DIGITS, num_objects=1, empty_prob=0.3, background='black')]
    assert np.equal(numbers, 0).mean() == pytest.approx(0.3, abs=0.1)


def test_explicit_numbers_of_objects_are_drawn_and_no_others():
    numbers = {len(scene.boxes) for scene in scenes(40, **DIGITS, num_objects_choices=(1, 5, 8))}
    assert numbers == {1, 5, 8}


def test_range_of_numbers_includes_both_ends():
    assert {len(scene.boxes) for scene in scenes(60, **DIGITS, num_objects=(2, 4))} == {2, 3, 4}


def test_one_class_per_scene_or_mixed():
    assert all(len(set(scene.labels)) == 1 for scene in scenes(layout='single', num_objects=4))
    assert any(len(set(scene.labels)) > 1 for scene in scenes(**DIGITS, num_objects=4))


def test_labels_are_positions_in_the_chosen_classes_and_parts_say_the_digit():
    for scene in scenes(**DIGITS, classes=(7, 1), num_objects=4):
        assert scene.part_labels.tolist() == [(7, 1)[label] for label in scene.labels]
    for scene in scenes(**DIGITS, classes=(7, 1), num_objects=4, merge_classes=True):
        assert set(scene.labels) == {0}
        assert set(scene.part_labels) <= {7, 1}


def test_parts_of_a_triple_are_the_digits_of_its_class():
    options = SceneOptions(class_mode='mixed')
    for scene in scenes(class_mode='mixed'):
        digits = [options.lego_classes[label].digits for label in scene.labels]
        assert scene.part_labels.reshape(-1, 3).tolist() == [list(row) for row in digits]


def test_stacks_become_groups_with_counts():
    counts = [
        scene.group_counts
        for scene in scenes(20, **DIGITS, num_objects=6, stack_prob=1, stack_size=(3, 3), background='black')
    ]
    assert np.mean([len(c) for c in counts]) < 3
    assert any(c.tolist() == [3, 3] for c in counts)


def test_without_stacks_and_overlap_each_object_is_its_own_group():
    for scene in scenes(**DIGITS, num_objects=10, max_overlap=0):
        assert scene.group_ids.tolist() == list(range(len(scene.boxes)))
        assert (scene.group_counts == 1).all()


def test_centred_objects_stay_near_the_centre():
    for scene in scenes(20, canvas=(96, 96), num_objects=1, center_jitter=6):
        centre = (scene.boxes[0, :2] + scene.boxes[0, 2:]) / 2
        assert len(scene.boxes) == 1
        assert abs(centre - 48).max() <= 6.5


def test_smallest_possible_canvas_still_holds_its_object():
    size = SceneOptions(num_objects=1, canvas=(300, 300), orient_range=(0, 0)).largest_object()
    options = {'canvas': size, 'num_objects': 1, 'orient_range': (0, 0)}
    assert all(len(scene.boxes) == 1 for scene in scenes(50, **options))


def test_classes_per_scene_bounds_the_classes_of_a_scene():
    options = {**DIGITS, 'num_objects': 8, 'background': 'black'}
    numbers = [len(set(scene.labels)) for scene in scenes(60, **options, classes_per_scene=(1, 3))]
    assert max(numbers) == 3
    assert min(numbers) == 1
    assert max(len(set(scene.labels)) for scene in scenes(60, **options)) > 3


SHELF = {**DIGITS, 'stack_prob': 1.0, 'stack_size': (6, 6), 'num_objects': 6, 'stack_turn': 0, 'background': 'black'}


@pytest.mark.parametrize(('angle', 'step'), [(0, (1, 0)), (90, (0, -1)), (180, (-1, 0)), (270, (0, 1))])
def test_stacks_grow_where_they_are_told_to(angle, step):
    grown = 0
    for scene in scenes(canvas=(150, 150), stack_angles=(angle,), **SHELF):
        centres = (scene.boxes[:, :2] + scene.boxes[:, 2:]) / 2
        for group in range(len(scene.group_counts)):
            members = centres[scene.group_ids == group]
            if len(members) > 1:
                moves = np.diff(members, axis=0)
                assert (moves @ np.array(step) > 0).all()
                assert np.abs(moves @ np.array(step[::-1])).max() <= 1  # whole pixels
                grown += len(moves)
    assert grown > 20


def test_the_last_object_hides_the_others_and_annotation_does_not_change():
    pairs = zip(scenes(ink='last', **SHELF), scenes(ink='lightest', **SHELF), strict=True)
    for hidden, lightest in pairs:
        assert hidden.boxes.tolist() == lightest.boxes.tolist()
        assert hidden.group_counts.tolist() == lightest.group_counts.tolist()
        x1, y1, x2, y2 = hidden.boxes[-1].astype(int)
        ink = hidden.object_masks()[-1][y1:y2, x1:x2] > 0
        seen = hidden.image[y1:y2, x1:x2]
        np.testing.assert_array_equal(seen[ink], light(hidden.items[-1])[ink])
        assert (lightest.image[y1:y2, x1:x2][ink] >= seen[ink]).all()
        assert hidden.image.sum() < lightest.image.sum()


def test_objects_that_hide_others_have_a_dark_rim():
    (scene,) = scenes(1, ink='last', **{**SHELF, 'background': 'photo', 'num_objects': 1})
    (plain,) = scenes(1, ink='lightest', **{**SHELF, 'background': 'photo', 'num_objects': 1})
    mask = scene.object_masks()[0] > 0
    rim = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~mask
    np.testing.assert_array_equal(scene.image[rim], (plain.image[rim] * 0.3).astype(np.uint8))
    np.testing.assert_array_equal(scene.image[~rim & ~mask], plain.image[~rim & ~mask])


def test_objects_at_the_border_of_the_image_are_drawn_whole():
    """Their rim lies outside: nothing breaks, and nothing comes out on the other side."""
    for scene in scenes(30, ink='last', canvas=(24, 24), **{**SHELF, 'scale_range': (1, 1), 'num_objects': 2}):
        mask = np.maximum.reduce(scene.object_masks()) > 0
        assert not (scene.image > 0)[~mask].any()
