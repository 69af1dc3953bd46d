import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

import mmcount.datasets  # noqa: F401
from mmcount.codecs import RedundantCountCodec
from mmcount.datasets import CountDataset
from mmcount.datasets.transforms import GenerateTarget, PackCountInputs
from mmcount.datasets.transforms.formatting import target_objects
from mmcount.registry import TRANSFORMS
from mmcount.structures import CountDataSample, CountedBoxes, PointBoxes

POINTS = [[1.0, 2.0], [7.0, 4.0], [20.0, 3.0], [9.0, 7.4]]
LABELS = np.array([1, 0, 1, 1])


def results_of(boxes: object = None, **changes: object) -> dict:
    """An image of 8 rows and 10 columns; the third point lies outside."""
    results = dict(
        img=np.arange(8 * 10 * 3, dtype=np.uint8).reshape(8, 10, 3),
        img_shape=(8, 10),
        ori_shape=(8, 10),
        img_id='a',
        num_classes=3,
        raw_counts=np.array([1, 3, 0], dtype=np.float32),
        gt_bboxes=PointBoxes(POINTS) if boxes is None else boxes,
        gt_bboxes_labels=LABELS,
        gt_ignore_flags=np.zeros(4, dtype=bool),
    )
    return {key: value for key, value in {**results, **changes}.items() if value is not None}


def boxes_of(counts: list[int] | None = None) -> HorizontalBoxes | CountedBoxes:
    corners = np.array(POINTS, dtype=np.float32)
    bboxes = np.concatenate([corners - 0.5, corners + 1.5], axis=1)
    if counts is None:
        return HorizontalBoxes(bboxes)
    return CountedBoxes(np.concatenate([bboxes, np.array(counts, dtype=np.float32)[:, None]], axis=1))


def pack(results: dict, **options: object) -> tuple[torch.Tensor, CountDataSample]:
    packed = TRANSFORMS.build(dict(type='mmcount.PackCountInputs', **options))(results)
    return packed['inputs'], packed['data_samples']


def test_the_image_becomes_a_contiguous_tensor_of_channels_first():
    results = results_of()
    inputs, _ = pack(results)
    assert inputs.shape == (3, 8, 10)
    assert inputs.dtype == torch.uint8
    assert inputs.is_contiguous()
    assert np.array_equal(inputs.numpy().transpose(1, 2, 0), results['img'])


def test_float_and_grey_and_flipped_images_are_packed():
    img = np.random.default_rng(0).random((8, 10, 3)).astype(np.float32)
    inputs, _ = pack(results_of(img=img[:, ::-1]))
    assert inputs.dtype == torch.float32
    assert np.array_equal(inputs.numpy().transpose(1, 2, 0), img[:, ::-1])
    assert pack(results_of(img=img[..., 0]))[0].shape == (1, 8, 10)


def test_points_outside_are_dropped_and_the_counts_are_those_of_the_rest():
    _, sample = pack(results_of())
    assert torch.equal(sample.gt_instances.points, torch.tensor(POINTS)[[0, 1, 3]])
    assert sample.gt_instances.labels.tolist() == [1, 0, 1]
    assert sample.gt_instances.counts.tolist() == [1, 1, 1]
    assert sample.gt_instances.counts.dtype == sample.gt_instances.labels.dtype == torch.int64
    assert 'bboxes' not in sample.gt_instances
    assert sample.gt_counts.tolist() == [1, 2, 0]


def test_annotated_counts_are_taken_as_they_are_and_no_instance_is_dropped():
    """In a test pipeline the annotations are in original coordinates, whatever the size of the image is now."""
    _, sample = pack(results_of(img=np.zeros((4, 5, 3), np.uint8), img_shape=(4, 5)), image_counts='annotations')
    assert torch.equal(sample.gt_instances.points, torch.tensor(POINTS))
    assert sample.gt_counts.tolist() == [1, 3, 0]


def test_ignored_instances_are_kept_apart_and_not_counted():
    _, sample = pack(results_of(gt_ignore_flags=np.array([True, False, False, False])))
    assert sample.ignored_instances.points.tolist() == [[1, 2]]
    assert sample.gt_instances.labels.tolist() == [0, 1]
    assert sample.gt_counts.tolist() == [1, 1, 0]


def test_counted_boxes_give_boxes_and_counts_and_the_sum_of_counts():
    _, sample = pack(results_of(boxes_of(counts=[2, 3, 50, 7])))
    assert sample.gt_instances.bboxes.shape == (3, 4)
    assert isinstance(sample.gt_instances.bboxes, torch.Tensor)
    assert sample.gt_instances.counts.tolist() == [2, 3, 7]
    assert 'points' not in sample.gt_instances
    assert sample.gt_counts.tolist() == [3, 9, 0]


def test_plain_boxes_count_one_and_boxes_clipped_to_nothing_are_dropped():
    boxes = boxes_of()
    boxes.clip_((8, 10))
    boxes.tensor[0, 2] = boxes.tensor[0, 0]
    _, sample = pack(results_of(boxes))
    assert sample.gt_instances.counts.tolist() == [1, 1]
    assert sample.gt_counts.tolist() == [1, 1, 0]


def test_masks_stay_with_their_instances():
    masks = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 10), dtype=np.uint8)
    flags = np.array([False, True, False, False])
    _, sample = pack(results_of(gt_masks=BitmapMasks(masks, 8, 10), gt_ignore_flags=flags))
    assert sample.gt_instances.masks.masks[:, 0, 0].tolist() == [0, 3]
    assert sample.ignored_instances.masks.masks[:, 0, 0].tolist() == [1]


@pytest.mark.parametrize('box_type', [PointBoxes, HorizontalBoxes, CountedBoxes])
def test_an_image_without_objects_is_packed_with_zero_counts(box_type):
    empty = dict(gt_bboxes_labels=np.zeros(0, dtype=np.int64), gt_ignore_flags=np.zeros(0, dtype=bool))
    masks = BitmapMasks(np.zeros((0, 8, 10), np.uint8), 8, 10)
    _, sample = pack(results_of(box_type([], dtype=torch.float32), gt_masks=masks, **empty))
    geometry = 'points' if box_type is PointBoxes else 'bboxes'
    assert sample.gt_instances[geometry].shape == (0, 2 if box_type is PointBoxes else 4)
    assert len(sample.gt_instances) == len(sample.gt_instances.masks) == 0
    assert sample.gt_counts.tolist() == [0, 0, 0]


def test_meta_information_is_taken_where_it_is_present():
    _, sample = pack(results_of(halo=32, scale_factor=(0.5, 0.5), other=1))
    assert sample.metainfo == dict(img_id='a', ori_shape=(8, 10), img_shape=(8, 10), halo=32, scale_factor=(0.5, 0.5))
    assert pack(results_of(), meta_keys=['img_id'])[1].metainfo == dict(img_id='a')


def test_an_image_without_annotations_is_packed_for_inference():
    inputs, sample = pack(dict(img=np.zeros((4, 4, 3), np.uint8), img_id='b'))
    assert inputs.shape == (3, 4, 4)
    assert 'gt_instances' not in sample
    assert 'gt_counts' not in sample


def test_the_map_is_packed_as_it_is():
    gt_map = np.random.default_rng(0).random((3, 5, 6)).astype(np.float32)
    _, sample = pack(results_of(gt_map=dict(data=gt_map)))
    assert np.array_equal(sample.gt_map.data.numpy(), gt_map)


def test_what_is_not_known_is_refused():
    with pytest.raises(ValueError, match="number of classes unknown for image a: expected 'num_classes'"):
        pack(results_of(num_classes=None))
    with pytest.raises(ValueError, match="image a has no 'raw_counts'"):
        pack(results_of(raw_counts=None), image_counts='annotations')
    with pytest.raises(ValueError, match='recompute'):
        PackCountInputs(image_counts='guess')


def test_the_target_comes_from_the_points_inside_by_config_or_by_object():
    config = dict(type='mmcount.RedundantCountCodec', window_size=4, stride=1, num_classes=3)
    codec = RedundantCountCodec(window_size=4, stride=1, num_classes=3)
    gt_map = TRANSFORMS.build(dict(type='mmcount.GenerateTarget', codec=config))(results_of())['gt_map']['data']
    assert gt_map.dtype == np.float32
    assert gt_map.shape == (3, *codec.grid((8, 10)).shape)
    assert (gt_map.sum(axis=(1, 2)) / 16).tolist() == [1, 2, 0]
    assert np.array_equal(GenerateTarget(codec)(results_of())['gt_map']['data'], gt_map)


def test_boxes_give_points_at_their_centres_as_often_as_they_count():
    found = target_objects(results_of(boxes_of(counts=[2, 1, 9, 3]))).inside((8, 10))
    assert found.points.tolist() == [POINTS[0]] * 2 + [POINTS[1]] + [[9.0, pytest.approx(7.4)]] * 3
    assert found.labels.tolist() == [1, 1, 0, 1, 1, 1]
    assert target_objects(results_of(boxes_of())).inside((8, 10)).labels.tolist() == [1, 0, 1]


def test_ignored_objects_are_left_out_of_the_target():
    found = target_objects(results_of(gt_ignore_flags=np.array([True, False, False, True])))
    assert found.inside((8, 10)).points.tolist() == [POINTS[1]]


def test_a_codec_of_another_number_of_classes_or_type_is_refused():
    with pytest.raises(ValueError, match='image a comes from a data set of 3 classes, but the codec RedundantCountC'):
        GenerateTarget(RedundantCountCodec(num_classes=1))(results_of())
    with pytest.raises(TypeError, match='codec must be a CountCodec'):
        GenerateTarget(codec=3)


def test_a_whole_training_pipeline_runs_from_a_data_set():
    rng = np.random.default_rng(0)
    images = [
        dict(
            img=rng.integers(0, 256, (90, 70, 3), dtype=np.uint8),
            img_id=str(index),
            points=rng.uniform(0, 69, (index * 5, 2)),
            labels=rng.integers(0, 2, index * 5),
        )
        for index in range(3)
    ]
    codec = dict(type='mmcount.RedundantCountCodec', window_size=32, stride=4, num_classes=2)
    pipeline = [
        dict(type='mmcount.LoadImage'),
        dict(type='mmcount.LoadCountAnnotations'),
        dict(type='mmcount.RandomDihedral'),
        dict(type='mmcount.HaloCrop', codec=codec, size=64),
        dict(type='mmcount.GenerateTarget', codec=codec),
        dict(type='mmcount.PackCountInputs'),
    ]
    dataset = CountDataset(
        data_list=images,
        metainfo=dict(classes=('a', 'b')),
        pipeline=[TRANSFORMS.build(transform) for transform in pipeline],
    )
    for index in range(3):
        packed = dataset[index]
        sample = packed['data_samples']
        assert packed['inputs'].shape == (3, 96, 96)
        assert sample.gt_map.data.shape == (2, 16, 16)
        assert sample.halo == 32
        assert sample.gt_counts.sum() == len(sample.gt_instances) <= index * 5


def test_counts_without_geometry_are_packed_alone():
    results = results_of()
    for key in ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags'):
        del results[key]
    _, sample = pack(results, image_counts='annotations')
    assert sample.gt_counts.tolist() == [1, 3, 0]
    assert 'gt_instances' not in sample
    with pytest.raises(ValueError, match=r"image a has counts of the whole image .*set image_counts='annotations'"):
        pack(results)


def test_void_pixels_are_packed_as_they_are():
    void = np.eye(8, 10, dtype=bool)
    _, sample = pack(results_of(gt_void_mask=void), image_counts='annotations')
    assert sample.gt_void_mask.dtype == torch.bool
    assert np.array_equal(sample.gt_void_mask.numpy(), void)


def test_a_target_needs_places():
    results = results_of()
    del results['gt_bboxes']
    with pytest.raises(ValueError, match="image a has no 'gt_bboxes' to encode"):
        GenerateTarget(RedundantCountCodec(num_classes=3))(results)


def test_a_codec_of_boxes_gets_all_boxes_that_count():
    codec = dict(type='mmcount.InstanceMapCodec', rule='original', outside='paint')
    boxes = HorizontalBoxes([[2.0, 2, 8, 8], [-6, 2, 4, 8], [10, 10, 14, 14]])
    results = dict(
        img=np.zeros((16, 16, 3), np.uint8), gt_bboxes=boxes, gt_bboxes_labels=np.zeros(3, np.int64), num_classes=1,
        gt_ignore_flags=np.array([False, False, True]),
    )  # fmt: skip
    target = GenerateTarget(codec)(results)['gt_map']['data'][0]
    # The second box, whose centre is outside, still reaches in; the ignored third one is not painted.
    assert target[5, 5] == 1
    assert target[4, 0] == 1
    assert target[12, 12] == 0


@pytest.mark.parametrize('points', [[[3.0, 3.0]], []])
def test_a_codec_of_boxes_refuses_points_also_where_there_are_none(points):
    results = dict(
        img=np.zeros((16, 16, 3), np.uint8), gt_bboxes=PointBoxes(np.array(points, np.float32).reshape(-1, 2)),
        gt_bboxes_labels=np.zeros(len(points), np.int64), num_classes=1, img_path='a.jpg',
    )  # fmt: skip
    with pytest.raises(ValueError, match=r'image a\.jpg: the codec paints boxes, but the objects are points'):
        GenerateTarget(dict(type='mmcount.InstanceMapCodec'))(results)


def annotated(geometry='bboxes', **changes):
    data = dict(
        img=np.zeros((8, 10, 3), np.uint8),
        img_id='a',
        num_classes=1,
        points=np.array([[1.0, 2], [50, 3], [4, 4]]),
        bboxes=np.array([[0.0, 0, 2, 3], [49, 2, 52, 5], [3, 3, 6, 6]]),
        sigmas=np.array([[1.0, 2], [3, 4], [5, 6]], np.float32),
        labels=[0, 0, 0],
        **changes,
    )
    return TRANSFORMS.build(dict(type='mmcount.LoadCountAnnotations', geometry=geometry))(data)


def test_annotations_beside_the_geometry_are_packed_where_they_are_asked_for():
    options = dict(image_counts='annotations', annotation_keys=('points', 'sigmas', 'levels'))
    results = annotated(ignore_flags=[True, False, False])
    _, sample = pack(results, **options)
    assert sample.gt_instances.points.tolist() == [[50, 3], [4, 4]]
    assert sample.gt_instances.sigmas.tolist() == [[3, 4], [5, 6]]
    assert sample.gt_instances.bboxes.tolist() == [[49, 2, 52, 5], [3, 3, 6, 6]]
    assert 'levels' not in sample.gt_instances
    assert sample.ignored_instances.points.tolist() == [[1, 2]]
    _, sample = pack(annotated(), image_counts='annotations')
    assert 'points' not in sample.gt_instances


def test_annotations_are_repeated_with_their_points():
    options = dict(image_counts='annotations', annotation_keys=('points', 'sigmas', 'bboxes'))
    _, sample = pack(annotated('points', counts=[2, 1, 1]), **options)
    assert sample.gt_instances.points.tolist() == [[1, 2], [1, 2], [50, 3], [4, 4]]
    assert sample.gt_instances.sigmas.tolist() == [[1, 2], [1, 2], [3, 4], [5, 6]]
    assert sample.gt_instances.bboxes[1].tolist() == [0, 0, 2, 3]


def test_annotations_that_lost_their_objects_are_refused():
    options = dict(image_counts='annotations', annotation_keys=('sigmas',))
    results = annotated()
    results['gt_bboxes'], results['gt_bboxes_labels'] = results['gt_bboxes'][:2], results['gt_bboxes_labels'][:2]
    results['gt_ignore_flags'] = results['gt_ignore_flags'][:2]
    with pytest.raises(ValueError, match="'sigmas' of image a cannot be told apart"):
        pack(results, **options)
    results = annotated()
    results['sigmas'] = results['sigmas'][:2]
    with pytest.raises(ValueError, match="'sigmas' of image a has 2 entries for object 2"):
        pack(results, **options)
    with pytest.raises(ValueError, match="annotation_keys need image_counts='annotations'"):
        PackCountInputs(annotation_keys=('sigmas',))
    with pytest.raises(ValueError, match='must be a sequence of keys'):
        PackCountInputs(image_counts='annotations', annotation_keys='sigmas')


def cropped(**options: object) -> CountDataSample:
    """Boxes of 10 px that lie in an image of 8 rows and 10 columns in full, to 80 %, 60 %, 20 %, and not at all."""
    boxes = [[0, 0, 10, 8, 5], [0, 0, 10, 10, 12], [4, 0, 14, 8, 7], [8, -2, 18, 8, 1], [8, -2, 18, 8, 9]]
    results = results_of(
        CountedBoxes(np.array([*boxes, [20, 20, 30, 30, 2]], dtype=np.float32)),
        gt_bboxes_labels=np.arange(6) % 3,
        gt_ignore_flags=np.zeros(6, dtype=bool),
    )
    return pack(results, **options)[1]


def test_counts_of_groups_that_were_cut_get_no_weight():
    instances = cropped(min_visible_fraction=0.7).gt_instances
    assert instances.counts.tolist() == [5, 12, 7, 1, 9]
    assert instances.count_weights.tolist() == [1, 1, 0, 1, 0]  # what is left of one object still is one
    assert instances.bboxes.tolist() == [[0, 0, 10, 8], [0, 0, 10, 8], [4, 0, 10, 8], [8, 0, 10, 8], [8, 0, 10, 8]]
    assert cropped(min_visible_fraction=0.6).gt_instances.count_weights.tolist() == [1, 1, 1, 1, 0]
    assert cropped(min_visible_fraction=0).gt_instances.count_weights.tolist() == [1] * 5


def test_without_a_fraction_there_are_no_weights_and_boxes_stay_as_they_are():
    instances = cropped().gt_instances
    assert 'count_weights' not in instances
    assert instances.bboxes[2].tolist() == [4, 0, 14, 8]


@pytest.mark.parametrize(
    'options', [dict(min_visible_fraction=1.5), dict(min_visible_fraction=0.5, image_counts='annotations')]
)
def test_wrong_fractions_are_refused(options):
    with pytest.raises(ValueError, match='min_visible_fraction must be in'):
        PackCountInputs(**options)


def test_a_crop_that_leaves_boxes_whole_tells_how_much_of_them_is_seen():
    boxes = CountedBoxes(np.array([[0, 0, 10, 8, 3]], dtype=np.float32))
    crop = TRANSFORMS.build(
        dict(type='mmdet.RandomCrop', crop_size=(8, 4), bbox_clip_border=False, allow_negative_crop=True)
    )
    results = results_of(boxes, gt_bboxes_labels=np.zeros(1, np.int64), gt_ignore_flags=np.zeros(1, dtype=bool))
    instances = pack(crop(results), min_visible_fraction=0.5)[1].gt_instances
    assert instances.bboxes.tolist() == [[0, 0, 8, 4]]  # 8 px wide, 4 px high: 40 % of the box
    assert instances.count_weights.tolist() == [0]
