"""A short training of a model on a few images with points."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import InfiniteSampler, pseudo_collate
from mmengine.logging import print_log
from mmengine.optim import build_optim_wrapper
from torch.utils.data import DataLoader

from mmcount.datasets import CountDataset
from mmcount.datasets.formats.points_table import read_points_csv

from .build_model import build_model, config_scope
from .inferencer import CountInferencer

BATCH_SIZE = 4
#: Adam moves every weight by about this.
LEARNING_RATE = 0.001


def fine_tune(
    inferencer: CountInferencer, labels: str | Path, images: dict[str, str], steps: int, seed: int = 0
) -> None:
    """Train the model of an inferencer further, as its own config trains it; the inferencer counts with the result.

    Args:
        inferencer: With a model whose config has a ``train_pipeline``, as those that come along have.
        labels: Table of points.
        images: Names in the table to files, of those images that are trained on.
        steps: Batches of four crops; the rate falls to zero at their end.
        seed: Of the order of images; what transforms draw follows from it as well.

    Raises:
        ValueError: The config says nothing of training, or the labels are no points.
    """
    source = inferencer.source
    pipeline = source.cfg.get('train_pipeline')
    if not pipeline:
        raise ValueError(f'{inferencer.model_name} brings no train_pipeline, so it cannot be trained further here')
    infos = _annotations(labels, images, inferencer.classes)
    torch.manual_seed(seed)
    with config_scope(source.cfg, inferencer.scope):
        dataset = CountDataset(data_list=infos, metainfo=dict(classes=inferencer.classes), pipeline=list(pipeline))
        model = build_model(source, inferencer.scope).to(next(inferencer.model.parameters()).device).train()
        optimizer = dict(type='Adam', lr=LEARNING_RATE)
        wrapper = build_optim_wrapper(model, dict(type='mmcount.BFloat16OptimWrapper', optimizer=optimizer))
    sampler = InfiniteSampler(dataset, shuffle=True, seed=seed)
    batches = iter(DataLoader(dataset, BATCH_SIZE, sampler=sampler, collate_fn=pseudo_collate))
    for step in range(steps):
        for group in wrapper.param_groups:
            group['lr'] = LEARNING_RATE * (1 - step / steps)
        losses = model.train_step(next(batches), wrapper)
        if step % 10 == 0 or step == steps - 1:
            print_log(f'fine-tuning, step {step + 1} of {steps}: loss {losses["loss"].item():.4f}', 'current')
    model.eval()
    assert source.checkpoint is not None
    source.checkpoint = {**source.checkpoint, 'state_dict': {k: v.cpu() for k, v in model.state_dict().items()}}
    inferencer.use_model(model)


def _annotations(labels: str | Path, images: dict[str, str], classes: Sequence[str]) -> list[dict[str, Any]]:
    """What the data set knows of each image."""
    table = read_points_csv(os.fspath(labels))
    found: dict[str, dict[str, Any]] = {
        name: dict(img_path=path, img_id=name, points=[], labels=[]) for name, path in images.items()
    }
    for row, name in enumerate(table.images):
        if name in found:
            label = classes.index(table.classes[row]) if table.classes is not None and len(classes) > 1 else 0
            found[name]['points'].append(table.points[row].tolist())
            found[name]['labels'].append(label)
    return list(found.values())
