import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmcount.structures import CountDataSample

ROOT = Path(__file__).resolve().parents[3]


def load():
    spec = importlib.util.spec_from_file_location('browse', ROOT / 'tools' / 'analysis_tools' / 'browse_dataset.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ('counts', 'classes', 'limit', 'expected'),
    [
        ([3], ('cell',), None, 'counts 3'),
        ([0, 2, 5], ('cat', 'dog', 'cow'), 4, 'counts dog 2, cow 5+'),
        ([0, 2, 5], ('cat', 'dog', 'cow'), None, 'counts dog 2, cow 5'),
        ([0, 0], ('cat', 'dog'), 4, 'counts none'),
        (None, ('cat', 'dog'), 4, 'counts unknown'),
    ],
)
def test_a_line_says_what_is_known_of_the_counts(counts, classes, limit, expected):
    sample = CountDataSample(metainfo={} if limit is None else {'count_limit': limit})
    if counts is not None:
        sample.gt_counts = torch.tensor(counts, dtype=torch.float32)
    assert load().describe(sample, classes) == expected


@pytest.mark.parametrize('phase', ['train', 'val'])
def test_images_with_counts_alone_are_shown(tmp_path, monkeypatch, capsys, phase):
    (tmp_path / 'data' / 'images').mkdir(parents=True)
    for index in range(5):
        photo = np.full((30, 50, 3), 40 * index, np.uint8)
        cv2.imwrite(str(tmp_path / 'data' / 'images' / f'{index}.png'), photo)
    rows = ''.join(f'{index}.png,{index},9\n' for index in range(5))
    (tmp_path / 'data' / 'counts.csv').write_text(f'image,cat,dog\n{rows}')
    config = tmp_path / 'config.py'
    config.write_text(
        f"_base_ = '{ROOT}/configs/_base_/datasets/counts_csv.py'\n"
        f"reader = dict(data_root='{tmp_path}/data/', metainfo=dict(classes=('cat', 'dog')))\n"
        + 'train_dataloader = dict(dataset=dict(dataset=reader))\n'
        + 'val_dataloader = test_dataloader = dict(dataset=reader)\n'
        + "test_evaluator = [dict(type='mmcount.CountMetric')]\n"
    )
    out = tmp_path / 'out'
    monkeypatch.setattr(sys, 'argv', ['browse', str(config), '--phase', phase, '--output-dir', str(out)])
    load().main()
    printed = capsys.readouterr().out
    assert len(list(out.glob('*.png'))) == {'train': 3, 'val': 1}[phase]
    assert ('dog 5+' if phase == 'train' else 'dog 9') in printed
