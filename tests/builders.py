"""Small samples, images and batches that many tests need."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData

from mmcount.structures import CountDataSample

ROOT = Path(__file__).resolve().parents[1]


def make_instances(labels=None, **fields):
    """``InstanceData`` of lists, arrays or tensors; labels are 0 if none are given."""
    size = len(next(iter(fields.values()))) if labels is None else len(labels)
    made = InstanceData(labels=torch.zeros(size, dtype=torch.int64) if labels is None else torch.as_tensor(labels))
    for name, value in fields.items():
        if name in ('points', 'bboxes'):
            value = torch.as_tensor(np.asarray(value)).reshape(size, 2 if name == 'points' else 4)
        elif isinstance(value, (list, tuple)):
            value = torch.as_tensor(value)
        made[name] = value
    return made


def make_sample(img_id='a', ori_shape=(8, 8), scale=1.0, meta=None, **fields):
    """A ``CountDataSample``.

    Counts may be numbers or lists, instances dicts of lists (see `make_instances`), maps (C, h, w) arrays.

    Args:
        img_id: Name of the image.
        ori_shape: Its (height, width).
        scale: By which the network's input is larger.
        meta: Further meta information.
        fields: Of the sample.
    """
    height, width = ori_shape
    made = CountDataSample(
        metainfo=dict(
            img_id=img_id,
            ori_shape=ori_shape,
            img_shape=(round(height * scale), round(width * scale)),
            scale_factor=(scale, scale),
            **(meta or {}),
        )
    )
    for name, value in fields.items():
        if name.endswith('_counts'):
            value = torch.as_tensor(value, dtype=torch.float32).reshape(-1)
        elif name.endswith('instances') and isinstance(value, Mapping):
            value = make_instances(**value)
        elif name in ('pred_density', 'gt_map') and not isinstance(value, PixelData):
            value = PixelData(data=torch.as_tensor(np.asarray(value)))
        setattr(made, name, value)
    return made


def make_image(height, width, seed=0):
    """A (3, height, width) uint8 image of noise."""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (3, height, width), dtype=np.uint8))


def make_batch(samples, seed=0):
    """What a data loader gives: an image of noise for each sample."""
    images = [make_image(*sample.img_shape, seed=seed + index) for index, sample in enumerate(samples)]
    return dict(inputs=images, data_samples=samples)


def run_metric(metric, samples, classes=None, size=None):
    """What a metric says of samples, which it gets as dicts and one at a time, as from MMEngine's evaluator."""
    if classes is not None:
        metric.dataset_meta = {'classes': classes}
    for one in samples:
        metric.process({}, [one if isinstance(one, Mapping) else one.to_dict()])
    return metric.evaluate(len(samples) if size is None else size)
