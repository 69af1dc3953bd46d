"""The segmentor around a counter: predictions, checkpoints, the runner."""

import copy

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.structures.mask import BitmapMasks
from mmengine.runner import load_checkpoint, save_checkpoint
from mmengine.runner.checkpoint import get_state_dict
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

from benchmarks.real_data import data_root
from mmcount.models import DenseCounter, PeakSegmentor
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample

RESNET = dict(type='mmdet.ResNet', depth=18, style='pytorch', norm_eval=False, base_channels=16, stem_channels=16)
LOWER_COUNT = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(
        type='mmcount.CountDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
    ),
    backbone=RESNET,
    head=dict(type='mmcount.LowerCountHead', num_classes=3, in_channels=128),
)
DENSITY = {
    **LOWER_COUNT,
    'head': dict(
        type='mmcount.DensityMapHead',
        codec=dict(
            type='mmcount.DensityCodec', sigma=16, stride=32, num_classes=3, points='local_maxima', peak_threshold=-1e9
        ),
        in_channels=128,
    ),
}
CEPTION = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
    backbone=dict(type='mmcount.CountCeption', window_size=8, stride=4),
    head=dict(
        type='mmcount.RedundantCountHead',
        codec=dict(type='mmcount.RedundantCountCodec', window_size=8, stride=4),
        init_bias=0.5,
        norm_cfg=None,
        act_cfg=None,
    ),
)


def build(counter=LOWER_COUNT, **kwargs):
    torch.manual_seed(0)
    segmentor = MODELS.build(dict(type='mmcount.PeakSegmentor', counter=copy.deepcopy(counter), **kwargs))
    segmentor.init_weights()
    return segmentor.eval()


def make_batch(shapes=((64, 96),), original=None, number=6):
    """Images with square proposals; ``number`` 0 gives none."""
    rng = np.random.default_rng(0)
    inputs, samples = [], []
    for index, shape in enumerate(shapes):
        height, width = original or shape
        masks = np.zeros((number, height, width), np.uint8)
        for mask in masks:
            top, left = rng.integers(0, height - 20), rng.integers(0, width - 20)
            mask[top : top + 18, left : left + 15] = 1
        scale = shape[1] / width, shape[0] / height
        meta = dict(img_id=str(index), img_shape=shape, ori_shape=(height, width), scale_factor=scale)
        sample = CountDataSample(metainfo=meta)
        sample.proposals = InstanceData(masks=BitmapMasks(masks, height, width), scores=torch.arange(number, 0, -1.0))
        inputs.append(torch.from_numpy(rng.integers(0, 256, (3, *shape), dtype=np.uint8)))
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def check_instances(sample, shape):
    instances = sample.pred_instances
    number = len(instances)
    assert instances.masks.dtype == torch.bool
    assert instances.masks.shape == (number, *shape)
    assert instances.bboxes.shape == (number, 4)
    assert (instances.scores.diff() <= 0).all()
    for mask, box in zip(instances.masks, instances.bboxes.int().tolist(), strict=True):
        assert mask.sum() == 18 * 15
        assert mask[box[1] : box[3], box[0] : box[2]].all()
    assert ((instances.points >= -0.5) & (instances.points <= torch.tensor(shape[::-1]))).all()


@pytest.mark.parametrize(
    ('counter', 'source'), [(LOWER_COUNT, 'maps'), (LOWER_COUNT, 'points'), (DENSITY, 'points'), (CEPTION, 'points')]
)
def test_any_counter_gets_instances(counter, source):
    segmentor = build(counter, peak_source=source, peak_threshold=None, class_threshold=-100.0)
    plain = segmentor.counter.test_step(make_batch())[0]
    sample = segmentor.test_step(make_batch())[0]
    torch.testing.assert_close(sample.pred_counts, plain.pred_counts)
    torch.testing.assert_close(sample.pred_density.data, plain.pred_density.data)
    if counter is CEPTION:
        assert len(plain.pred_instances) > 10
    if source == 'maps' or len(plain.pred_instances):
        assert len(sample.pred_instances) > 0
    check_instances(sample, (64, 96))
    assert 'proposals' not in sample


def test_masks_come_back_at_the_original_size():
    segmentor = build(peak_threshold=None, keep_responses=True, keep_proposals=True)
    sample = segmentor.test_step(make_batch(original=(100, 120)))[0]
    check_instances(sample, (100, 120))
    assert len(sample.pred_instances) > 0
    assert sample.pred_instances.responses.shape[1:] == (64, 96)
    assert len(sample.proposals.masks) == 6


def test_a_batch_is_its_images_one_by_one():
    segmentor = build(peak_threshold=None, max_peaks_per_batch=3)
    together = segmentor.test_step(make_batch(((64, 96), (64, 96))))
    for index, sample in enumerate(together):
        batch = {key: value[index : index + 1] for key, value in make_batch(((64, 96), (64, 96))).items()}
        alone = segmentor.test_step(batch)[0]
        torch.testing.assert_close(sample.pred_instances.scores, alone.pred_instances.scores, rtol=1e-3, atol=1e-5)
        assert torch.equal(sample.pred_instances.masks, alone.pred_instances.masks)


def test_gamma_is_the_weight_of_the_density_penalty():
    without, strong = (build(peak_threshold=None, gamma=gamma).test_step(make_batch())[0] for gamma in (0.0, 50.0))
    assert strong.pred_instances.scores.max() < without.pred_instances.scores.max()


def test_no_proposals_no_peaks_no_error():
    sample = build().test_step(make_batch(number=0))[0]
    assert sample.pred_instances.masks.shape == (0, 64, 96)
    silent = build(limit_by_count=True)
    silent.head.density_branch[-1].weight.data.zero_()
    silent.head.density_branch[-1].bias.data.zero_()
    sample = silent.test_step(make_batch())[0]
    assert sample.pred_instances.masks.shape == (0, 64, 96)
    assert sample.pred_counts.tolist() == [0.0, 0.0, 0.0]


def test_the_fall_back_gives_every_image_a_peak():
    assert len(build(peak_threshold=1e6).test_step(make_batch())[0].pred_instances) == 1
    assert len(build(peak_threshold=1e6, fall_back=False).test_step(make_batch())[0].pred_instances) == 0


def test_limit_by_count():
    segmentor = build(peak_threshold=None, limit_by_count=True, iou_threshold=1.1)
    segmentor.head.class_gate = False
    segmentor.head.density_branch[-1].weight.data.zero_()
    segmentor.head.density_branch[-1].bias.data[:] = torch.tensor([1.2, 0.0, 0.0])
    segmentor.head.class_branch[-1].bias.data += 5
    sample = segmentor.test_step(make_batch())[0]
    assert sample.pred_instances.labels.tolist() == [0]


def test_mistakes_in_the_pipeline_are_named():
    segmentor = build()
    for change, message in (
        (lambda sample: delattr(sample, 'proposals'), 'image 0 has no mask proposals: put LoadMaskProposals'),
        (lambda sample: sample.set_metainfo(dict(flip=True)), 'was flipped'),
        (lambda sample: sample.set_metainfo(dict(ori_shape=(9, 9))), r'are of \(64, 96\)'),
    ):
        batch = make_batch()
        change(batch['data_samples'][0])
        with pytest.raises(ValueError, match=message):
            segmentor.test_step(batch)
    for wrong in (dict(peak_source='boxes'), dict(density_resize='cubic'), dict(max_proposals=0)):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            build(**wrong)


def test_it_trains_as_the_counter():
    segmentor, counter = build().train(), build().counter.train()
    batch = make_batch(((64, 96), (64, 96)))
    for sample in batch['data_samples']:
        sample.gt_counts = torch.tensor([1.0, 0.0, 2.0])
    losses = []
    for model in (segmentor, counter):
        torch.manual_seed(0)
        data = model.data_preprocessor(copy.deepcopy(batch), True)
        losses.append(model(**data, mode='loss'))
    assert losses[0].keys() == losses[1].keys()
    for name, value in losses[0].items():
        torch.testing.assert_close(value, losses[1][name])


def test_checkpoints_are_the_counters_in_both_directions(tmp_path):
    segmentor, counter = build(), MODELS.build(copy.deepcopy(LOWER_COUNT))
    counter.init_weights()
    assert list(get_state_dict(segmentor)) == list(get_state_dict(counter)) == list(segmentor.state_dict())
    for source, target in ((counter, segmentor), (segmentor, MODELS.build(copy.deepcopy(LOWER_COUNT)))):
        path = tmp_path / f'{type(source).__name__}.pth'
        save_checkpoint(dict(state_dict=get_state_dict(source)), str(path))
        load_checkpoint(target, str(path), strict=True)
        for (_, a), (_, b) in zip(source.named_buffers(), target.named_buffers(), strict=False):
            assert a.shape == b.shape
        assert torch.equal(target.head.shared_conv.weight, source.head.shared_conv.weight)
        target.load_state_dict(source.state_dict(), strict=True)
    nested = torch.nn.ModuleDict(dict(model=build()))
    nested.load_state_dict({f'model.{key}': value for key, value in counter.state_dict().items()}, strict=True)
    assert torch.equal(nested['model'].backbone.conv1.weight, counter.backbone.conv1.weight)


def test_parts_of_the_counter_are_reached_through_it():
    segmentor = build()
    assert isinstance(segmentor.counter, DenseCounter)
    assert segmentor.calibration is segmentor.counter.calibration
    assert copy.deepcopy(segmentor).head is not segmentor.head
    with pytest.raises(AttributeError, match='nonsense'):
        _ = segmentor.nonsense
    assert isinstance(segmentor, PeakSegmentor)


def test_real_masks_end_to_end(tmp_path):
    """Images and masks of COCO through files of run lengths, the pipeline and a small network, without gradients."""
    root = data_root('coco_sample')
    if root is None:
        pytest.skip('the COCO sample is not on this machine')
    from mmcount.datasets.proposals import encode_rle
    from mmcount.datasets.transforms import LoadMaskProposals

    coco = COCO(str(root / 'val2017.json'))
    segmentor = build(peak_threshold=None)
    pipeline = Compose(
        [
            dict(type='mmcount.LoadImage'),
            LoadMaskProposals(source=dict(type='mmcount.RLEProposals', path=str(tmp_path))),
            dict(type='mmdet.Resize', scale=(128, 128), keep_ratio=False),
            dict(type='mmcount.PackCountInputs'),
        ]
    )
    import json

    for info in coco.loadImgs(sorted(coco.imgs)[:4]):
        anns = [one for one in coco.loadAnns(coco.getAnnIds(info['id'], iscrowd=0)) if one.get('segmentation')]
        masks = [coco.annToMask(one) for one in anns]
        name = info['file_name'].removesuffix('.jpg')
        (tmp_path / f'{name}.json').write_text(json.dumps([encode_rle(mask) for mask in masks]))
        packed = pipeline(dict(img_path=str(root / 'val2017' / info['file_name']), img_id=str(info['id'])))
        with torch.no_grad():
            sample = segmentor.test_step(dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']]))[0]
        size = cv2.imread(str(root / 'val2017' / info['file_name'])).shape[:2]
        assert sample.pred_instances.masks.shape[1:] == size
        valid = [mask.sum() for mask in masks if 0.00002 * mask.size < mask.sum() < 0.85 * mask.size]
        assert bool(len(sample.pred_instances)) == bool(valid)
        for mask in sample.pred_instances.masks.numpy():
            assert any(np.array_equal(mask, one > 0) for one in masks)
