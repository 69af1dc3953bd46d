"""Points, labels and counts stay aligned with the image through mmdet's own transforms.

A point is drawn as a small Gaussian blob in the colour channel of its label. After a transform every blob away from the
borders must have its point at the centre of mass, and every point its blob.
"""

import copy
import functools
import random

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

import mmcount.datasets  # noqa: F401
from mmcount.registry import TRANSFORMS
from mmcount.structures import CountedBoxes, PointBoxes

SHAPE = (160, 200)
BORDER = 11  # a blob nearer than this may be cut
TOLERANCE = 0.3  # less than the half pixel by which a wrong convention is off

SINGLE = {
    'RandomFlip horizontal': dict(prob=1.0, direction='horizontal'),
    'RandomFlip vertical': dict(prob=1.0, direction='vertical'),
    'RandomFlip diagonal': dict(prob=1.0, direction='diagonal'),
    'Resize enlarging': dict(scale=(320, 240), keep_ratio=False),
    'Resize reducing': dict(scale=(150, 120), keep_ratio=True),
    'RandomCrop': dict(crop_size=(120, 90)),
    'RandomCrop unclipped': dict(crop_size=(120, 90), bbox_clip_border=False),
    'RandomAffine': dict(scaling_ratio_range=(0.8, 1.3), max_rotate_degree=20, border_val=(0, 0, 0)),
    'RandomAffine unclipped': dict(scaling_ratio_range=(0.8, 1.3), bbox_clip_border=False, border_val=(0, 0, 0)),
    'RandomShift': dict(prob=1.0, max_shift_px=40),
    'Pad': dict(size=(256, 192)),
    'Expand': dict(prob=1.0, mean=(0, 0, 0), ratio_range=(1.2, 2)),
    'Rotate': dict(prob=1.0, level=5, img_border_value=0),
    'ShearX': dict(prob=1.0, level=5, img_border_value=0),
    'ShearY': dict(prob=1.0, level=5, img_border_value=0),
    'TranslateX': dict(prob=1.0, level=6, img_border_value=0),
    'TranslateY': dict(prob=1.0, level=6, img_border_value=0),
    'MinIoURandomCrop': dict(min_ious=(0.0,), min_crop_size=0.5),
    'CutOut': dict(n_holes=1, cutout_shape=(0, 0)),
}
MIXING = {
    'Mosaic': dict(img_scale=(200, 160), pad_val=0.0, prob=1.0),
    # mmdet cuts the enlarged size to whole pixels but scales by the uncut ratio, up to a pixel off: ratios that fit.
    'MixUp enlarging': dict(img_scale=(200, 160), pad_val=0.0, ratio_range=(1.25, 1.25)),
    'MixUp reducing': dict(img_scale=(200, 160), pad_val=0.0, ratio_range=(0.75, 0.75)),
}
CACHED = {
    'CachedMosaic': dict(img_scale=(200, 160), pad_val=0.0, prob=1.0, max_cached_images=10),
    'CachedMixUp': dict(img_scale=(200, 160), pad_val=0.0, prob=1.0, ratio_range=(1.25, 1.25), max_cached_images=10),
}


def build(name: str, options: dict) -> object:
    return TRANSFORMS.build(dict(type=f'mmdet.{name.split()[0]}', **options))


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


def scattered_points(rng: np.random.Generator, shape: tuple[int, int], apart: float = 26) -> np.ndarray:
    points: list[np.ndarray] = []
    for _ in range(400):
        point = rng.uniform((BORDER, BORDER), (shape[1] - BORDER - 1, shape[0] - BORDER - 1))
        if all(np.hypot(*(point - other)) > apart for other in points):
            points.append(point)
    return np.array(points, dtype=np.float32)


def draw(points: np.ndarray, labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    img = np.zeros((*shape, 3), dtype=np.float64)
    for (x, y), label in zip(points, labels, strict=True):
        img[..., label] += 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.2**2))
    return img.round().astype(np.uint8)


@functools.cache
def drawn_points(seed: int, label: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = scattered_points(rng, SHAPE)
    labels = rng.integers(0, 3, len(points)) if label is None else np.full(len(points), label)
    return points, labels, draw(points, labels, SHAPE)


def sample(seed: int, label: int | None = None, geometry: str = 'points') -> dict:
    """One image with its annotations; all labels are ``label``, or any of three."""
    points, labels, img = (array.copy() for array in drawn_points(seed, label))
    if geometry == 'points':
        boxes = PointBoxes(points)
    else:
        hboxes = HorizontalBoxes(np.concatenate([points - 5.5, points + 6.5], axis=1))
        counts = torch.arange(len(points), dtype=torch.float32)[:, None] + 1
        boxes = hboxes if geometry == 'bboxes' else CountedBoxes(torch.cat([hboxes.tensor, counts], dim=1))
    return dict(
        img=img,
        img_shape=SHAPE,
        ori_shape=SHAPE,
        gt_bboxes=boxes,
        gt_bboxes_labels=labels if geometry == 'points' else np.arange(len(points)),
        gt_ignore_flags=np.zeros(len(points), dtype=bool),
    )


def visible_blobs(img: np.ndarray, label: int) -> np.ndarray:
    """(K, 2) centres of mass of the blobs in the channel of ``label``."""
    channel = img[..., label].astype(np.float64)
    num, components = cv2.connectedComponents((channel > 12).astype(np.uint8))
    rows, columns = np.mgrid[: img.shape[0], : img.shape[1]]
    centres = []
    for index in range(1, num):
        mass = channel * (components == index)
        centres.append(((columns * mass).sum() / mass.sum(), (rows * mass).sum() / mass.sum()))
    return np.array(centres).reshape(-1, 2)


def far_from_border(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    far = np.array([shape[1], shape[0]]) - 1 - BORDER
    return points[((points >= BORDER) & (points <= far)).all(axis=1)]


def assert_matched(wanted: np.ndarray, found: np.ndarray, what: str) -> None:
    for position in wanted:
        near = np.hypot(*(found - position).T) < TOLERANCE if len(found) else np.zeros(0)
        assert near.sum() == 1, f'{what} at {position.tolist()} has {int(near.sum())} partners'


def assert_aligned(results: dict) -> int:
    """Check points against blobs, both ways; the number of points checked."""
    shape = results['img'].shape[:2]
    assert tuple(results['img_shape']) == shape
    points = results['gt_bboxes'].tensor.numpy()
    labels = results['gt_bboxes_labels']
    assert len(points) == len(labels) == len(results['gt_ignore_flags'])
    inside = results['gt_bboxes'].is_inside(shape).numpy()
    checked = 0
    for label in range(3):
        own = points[inside & (labels == label)]
        blobs = visible_blobs(results['img'], label)
        assert_matched(far_from_border(blobs, shape), own, f'a blob of class {label}')
        assert_matched(far_from_border(own, shape), blobs, f'a point of class {label}')
        checked += len(far_from_border(own, shape))
    return checked


def test_the_drawn_image_itself_is_aligned_and_a_shift_of_half_a_pixel_is_noticed():
    results = sample(0)
    assert assert_aligned(results) == len(results['gt_bboxes']) > 10
    results['gt_bboxes'].translate_((0.5, 0))
    with pytest.raises(AssertionError, match='partners'):
        assert_aligned(results)


@pytest.mark.parametrize('name', SINGLE)
def test_points_stay_on_their_blobs(name):
    transform = build(name, SINGLE[name])
    checked = 0
    for seed in range(4):
        seed_everything(seed)
        checked += assert_aligned(transform(sample(seed)))
    assert checked > 10


@pytest.mark.parametrize('name', MIXING)
def test_points_stay_on_their_blobs_when_images_are_mixed(name):
    transform = build(name, MIXING[name])
    checked = 0
    for seed in range(4):
        seed_everything(seed)
        results = sample(seed, label=0)
        partners = [sample(seed + k, label=1) for k in range(10, 13)]
        results['mix_results'] = partners if name == 'Mosaic' else partners[:1]
        checked += assert_aligned(transform(results))
    assert checked > 20


@pytest.mark.parametrize('name', CACHED)
def test_points_stay_on_their_blobs_when_cached_images_are_mixed(name):
    transform = build(name, CACHED[name])
    checked = 0
    for seed in range(8):
        seed_everything(seed)
        # An image mixed with itself would put two blobs at one place: neighbours in the cache differ in class.
        transform.results_cache = [sample(100 + seed + k, label=1) for k in range(4)]
        results = sample(seed, label=0)
        if name == 'CachedMixUp':
            transform.get_indexes = lambda cache: 0
        checked += assert_aligned(transform(results))
    assert checked > 20


def test_a_point_shifted_out_of_the_image_does_not_come_back_on_the_padding():
    """Rotate, shear, translate and shift do not drop what leaves the image, and Pad would show it again."""
    shift = build('TranslateX', dict(prob=1.0, level=10, max_mag=0.4, reversal_prob=1.0, img_border_value=0))
    pad = build('Pad', dict(size=(400, 320)))
    lost = 0
    for seed in range(3):
        seed_everything(seed)
        results = pad(shift(sample(seed)))
        inside = results['gt_bboxes'].is_inside(results['img_shape']).numpy()
        columns, rows = np.floor(results['gt_bboxes'].tensor.numpy()[inside] + 0.5).astype(int).T
        # Every point that is left lies on its blob, none on the black padding.
        assert (results['img'][rows, columns, results['gt_bboxes_labels'][inside]] > 100).all()
        lost += int((~inside).sum())
    assert lost > 3


def test_photometric_distortion_leaves_points_alone():
    results = sample(0)
    before = results['gt_bboxes'].tensor.clone()
    after = build('PhotoMetricDistortion', {})(results)
    assert torch.equal(after['gt_bboxes'].tensor, before)


def test_filter_annotations_keeps_points_and_drops_those_clipped_away():
    results = sample(0)
    num = len(results['gt_bboxes'])
    results['gt_bboxes'].tensor[3] = torch.tensor([300.0, 5.0])
    results['gt_bboxes'].clip_(SHAPE)
    labels = np.delete(results['gt_bboxes_labels'], 3)
    after = build('FilterAnnotations', dict(min_gt_bbox_wh=(8, 8)))(results)
    assert len(after['gt_bboxes']) == num - 1
    assert np.array_equal(after['gt_bboxes_labels'], labels)


@pytest.mark.parametrize('name', [*SINGLE, *MIXING, *CACHED])
def test_counts_stay_with_their_boxes(name):
    """The label is the box's index here, so label + 1 must remain its count, and the geometry that of plain boxes."""
    options = {**SINGLE, **MIXING, **CACHED}[name]
    for seed in range(3):
        outcomes = []
        for geometry in ('counted_bboxes', 'bboxes'):
            transform = build(name, options)
            transform.results_cache = [sample(50 + k, geometry=geometry) for k in range(4)]
            results = sample(seed, geometry=geometry)
            partners = [sample(20 + k, geometry=geometry) for k in range(3)]
            results['mix_results'] = partners if name == 'Mosaic' else partners[:1]
            seed_everything(seed)
            outcomes.append(transform(results))
        counted, plain = outcomes
        assert isinstance(counted['gt_bboxes'], CountedBoxes)
        assert np.array_equal(counted['gt_bboxes_labels'], plain['gt_bboxes_labels'])
        assert torch.equal(counted['gt_bboxes'].tensor[:, :4], plain['gt_bboxes'].tensor)
        assert np.array_equal(counted['gt_bboxes'].counts.numpy(), counted['gt_bboxes_labels'] + 1)


def empty_sample(geometry: type) -> dict:
    results = sample(0)
    return {
        **results,
        'img': np.zeros_like(results['img']),
        'gt_bboxes': geometry([], dtype=torch.float32),
        'gt_bboxes_labels': np.zeros(0, dtype=np.int64),
        'gt_ignore_flags': np.zeros(0, dtype=bool),
    }


@pytest.mark.parametrize('geometry', [PointBoxes, CountedBoxes])
@pytest.mark.parametrize('name', [*SINGLE, *MIXING, *CACHED])
def test_images_without_objects_pass(name, geometry):
    options = dict({**SINGLE, **MIXING, **CACHED}[name])
    if name.startswith('RandomCrop'):
        options['allow_negative_crop'] = True
    transform = build(name, options)
    empty = empty_sample(geometry)
    empty['mix_results'] = [copy.deepcopy(empty) for _ in range(3 if name == 'Mosaic' else 1)]
    transform.results_cache = [copy.deepcopy(empty) for _ in range(4)]
    seed_everything(0)
    after = transform(empty)
    assert isinstance(after['gt_bboxes'], geometry)
    assert len(after['gt_bboxes']) == len(after['gt_bboxes_labels']) == 0
