"""Every config of own data trains a few steps from the files that its docstring names, and scores what it has learnt."""

import csv
import json
import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmcount.engine.config import read_config
from mmcount.utils import register_all_modules

LEAVES = sorted((Path(__file__).resolve().parents[2] / 'configs' / 'your_data').glob('*.py'))
CLASSES = ('live', 'dead')
HEIGHT, WIDTH, IMAGES = 48, 64, 6


def write_table(path, rows):
    with open(path, 'w', newline='') as file:
        csv.writer(file).writerows(rows)


@pytest.fixture
def own_data(tmp_path):
    """A folder of images of bright squares of two classes with every kind of annotation; the last image is empty."""
    root = tmp_path / 'my cells, day 2'
    (root / 'images').mkdir(parents=True)
    rng = np.random.default_rng(0)
    points, counts = [('image', 'x', 'y', 'class', 'x1', 'y1', 'x2', 'y2')], [('image', 'class', 'count')]
    coco = dict(images=[], annotations=[], categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES)])
    for index in range(IMAGES):
        name = f'{index}.png'
        img = rng.integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        numbers = [3, 1] if index < IMAGES - 1 else [0, 0]
        coco['images'].append(dict(id=index, file_name=name, height=HEIGHT, width=WIDTH))
        for label, number in enumerate(numbers):
            counts.append((name, CLASSES[label], number))
            for _ in range(number):
                x, y = int(rng.integers(8, WIDTH - 8)), int(rng.integers(8, HEIGHT - 8))
                img[y - 3 : y + 4, x - 3 : x + 4] = 220 - 80 * label
                points.append((name, x, y, CLASSES[label], x - 3, y - 3, x + 4, y + 4))
                box = dict(bbox=[x - 3, y - 3, 7, 7], area=49, iscrowd=0, count=2)
                coco['annotations'].append(dict(id=len(coco['annotations']), image_id=index, category_id=label, **box))
        cv2.imwrite(str(root / 'images' / name), img)
    write_table(root / 'points.csv', points)
    write_table(root / 'points_of_one_class.csv', [row[:3] + row[4:] for row in points])
    write_table(root / 'counts.csv', counts)
    write_table(root / 'counts_of_one_class.csv', [('image', 'count'), *((f'{i}.png', i) for i in range(IMAGES))])
    (root / 'annotations.json').write_text(json.dumps(coco))
    return root


def without_weights(node):
    """A model's config without weights from elsewhere; a detector that names a config of mmdet is told so."""
    if isinstance(node, list | tuple):
        return [without_weights(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {key: None if key == 'init_cfg' else without_weights(value) for key, value in node.items()}
    if '_base_' in node:
        node['backbone'] = dict(init_cfg=None)
    return node


def small_config(path, root, work_dir):
    """The config as its docstring runs it, with less to do and without weights from elsewhere."""
    text = path.read_text()
    (file,) = [name for name in ('points.csv', 'counts.csv', 'annotations.json') if f'ann_file={name}' in text]
    options = dict(data_root=str(root), num_workers='0')
    if 'classes=live,dead' in text:
        options |= dict(ann_file=file, classes=','.join(CLASSES))
    else:
        options['ann_file'] = file.replace('.csv', '_of_one_class.csv')
    variables = read_config(path)
    options |= {name: value for name, value in (('max_iters', '2'), ('max_epochs', '1')) if name in variables}
    if 'img_scale' in variables and variables.train_cfg.type != 'mmcount.FitLoop':
        options['img_scale'] = '96,64'
    cfg = read_config(path, options)
    cfg.train_dataloader.batch_size = 2
    cfg.model = without_weights(cfg.model.to_dict())
    cfg.work_dir, cfg.experiment_name = str(work_dir), f'{path.stem}_{os.urandom(4).hex()}'
    return cfg


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_own_data_trains_from_its_files_to_scores(path, own_data, tmp_path):
    register_all_modules()
    runner = Runner.from_cfg(small_config(path, own_data, tmp_path / 'work'))
    runner.model.init_weights()
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.train()
    after = runner.model.state_dict()
    assert any(not torch.equal(value, after[name]) for name, value in before.items())
    assert list((tmp_path / 'work').glob('*.pth'))
    metrics = runner.test()
    assert 'count/MAE' in metrics
    assert all(math.isfinite(value) for name, value in metrics.items() if name.startswith('count/'))
    classes = runner.test_dataloader.dataset.metainfo['classes']
    assert classes == (CLASSES if 'classes=live,dead' in path.read_text() else ('object',))
