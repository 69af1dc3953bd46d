"""One small RetinaNet, wrapped and plain, with batches and predictions for it."""

import copy

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmcount.models.counters import resolve_detector
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample
from mmcount.utils import register_all_modules

SIDE = 64
CLASSES = 3
WIDTH = 16
EXTRACTOR = dict(featmap_strides=[8, 16], out_channels=WIDTH)
HEAD = dict(codec=dict(type='mmcount.DigitCodec', max_count=20, base=10), fc_out_channels=16)


def make_retinanet(**options):
    return dict(
        type='RetinaNet',
        data_preprocessor=dict(type='DetDataPreprocessor', mean=[99.0] * 3, std=[50.0] * 3, pad_size_divisor=32),
        backbone=dict(
            type='ResNet',
            depth=18,
            base_channels=8,
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=(1, 2),
            norm_eval=False,
        ),
        neck=dict(type='FPN', in_channels=[16, 32], out_channels=WIDTH, num_outs=3),
        bbox_head=dict(
            type='RetinaHead',
            num_classes=CLASSES,
            in_channels=WIDTH,
            feat_channels=WIDTH,
            stacked_convs=1,
            anchor_generator=dict(
                type='AnchorGenerator', octave_base_scale=2, scales_per_octave=1, ratios=[1.0], strides=[8, 16, 32]
            ),
        ),
        train_cfg=dict(
            assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
            sampler=dict(type='PseudoSampler'),
            allowed_border=-1,
            pos_weight=-1,
        ),
        test_cfg=dict(nms_pre=100, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=8),
        **options,
    )


def build_wrapper(detector=None, seed=0, **options):
    register_all_modules()
    init_default_scope('mmcount')
    torch.manual_seed(seed)
    parts = dict(detector=detector or make_retinanet(), roi_extractor=EXTRACTOR, count_head=HEAD)
    model = MODELS.build(dict(type='mmcount.CountingDetector', **{**parts, **options}))
    model.init_weights()
    return model


def make_plain(seed=0):
    """The same detector, unwrapped, with the same weights."""
    wrapped = build_wrapper(seed=seed)
    detector = MODELS.build(resolve_detector(make_retinanet()))
    detector.load_state_dict(wrapped.detector.state_dict())
    return detector


def make_batch(numbers=(3, 0), scale=1.0, **fields):
    generator = torch.Generator().manual_seed(1)
    samples, images = [], []
    for index, number in enumerate(numbers):
        corners = torch.rand(number, 2, generator=generator) * 30
        sizes = 12 + 18 * torch.rand(number, 2, generator=generator)
        meta = dict(img_id=f'image-{index}', img_shape=(SIDE, SIDE), ori_shape=(SIDE, SIDE))
        if scale != 1:
            meta['scale_factor'] = (scale, scale)
        sample = CountDataSample(metainfo=meta)
        instances = InstanceData(
            bboxes=torch.cat([corners, corners + sizes], dim=1),
            labels=torch.randint(0, CLASSES, (number,), generator=generator),
            counts=torch.randint(1, 21, (number,), generator=generator),
        )
        for key, make in fields.items():
            setattr(instances, key, make(number))
        sample.gt_instances = instances
        samples.append(sample)
        images.append(torch.randint(0, 256, (3, SIDE, SIDE), generator=generator, dtype=torch.uint8))
    return dict(inputs=images, data_samples=samples)


def losses_of(model, data=None):
    losses = model(**model.data_preprocessor(data or make_batch(), True), mode='loss')
    return model.parse_losses(losses)[0], losses


def make_prediction(detector, boxes, scores=None, labels=None):
    """Make a detector predict these boxes for every image."""
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    scores = torch.ones(len(boxes)) if scores is None else torch.tensor(scores)
    labels = torch.zeros(len(boxes), dtype=torch.int64) if labels is None else torch.tensor(labels)
    instances = InstanceData(bboxes=boxes, scores=scores, labels=labels)

    def predict(inputs, samples, rescale=True):
        for sample in samples:
            sample.pred_instances = copy.deepcopy(instances)
        return samples

    detector.predict = predict


@pytest.fixture
def retinanet():
    """The config of the detector."""
    return make_retinanet


@pytest.fixture
def build():
    """Builds a wrapper, of the detector unless told otherwise, seeded."""
    return build_wrapper


@pytest.fixture
def plain():
    """Builds the same detector, unwrapped, with the same weights."""
    return make_plain


@pytest.fixture
def batch():
    """Builds raw batches of images with this many boxes each."""
    return make_batch


@pytest.fixture
def total_loss():
    """Gives the sum of the losses of a model on a batch, and the losses."""
    return losses_of


@pytest.fixture
def predicting():
    """Makes a detector predict given boxes."""
    return make_prediction
