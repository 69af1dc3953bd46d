"""Each config of ``configs/your_data`` trains for a few steps on images and annotations as people have them."""

import json

import cv2
import numpy as np
import pytest
from mmengine.runner import Runner

from mmcount.engine.config import read_config
from mmcount.registry import DATASETS
from mmcount.utils import register_all_modules
from mmcount.utils.errors import AnnotationError
from tests.builders import ROOT

LEAVES = sorted((ROOT / 'configs' / 'your_data').glob('*.py'))
IMAGES, SIDE = 8, 48
CLASSES = ('live', 'dead')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Images of bright squares with each kind of annotation."""
    root = tmp_path_factory.mktemp('my cells, day 2')
    (root / 'images').mkdir()
    rng = np.random.default_rng(0)
    points, counts, boxes = ['image,x,y,x1,y1,x2,y2,class'], ['image,class,count'], []
    for index in range(IMAGES):
        image = rng.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
        for number in range(3):
            x, y = (int(value) for value in rng.integers(6, SIDE - 6, 2))
            image[y - 4 : y + 5, x - 4 : x + 5] = 250
            name = CLASSES[number % 2]
            points.append(f'{index}.png,{x},{y},{x - 4},{y - 4},{x + 5},{y + 5},{name}')
            box = dict(id=len(boxes) + 1, image_id=index, bbox=[x - 4, y - 4, 9, 9], area=81, iscrowd=0)
            boxes.append({**box, 'category_id': number % 2 + 1, 'count': number + 1})
        counts += [f'{index}.png,live,{index % 3}', f'{index}.png,dead,1']
        cv2.imwrite(str(root / 'images' / f'{index}.png'), image)
    (root / 'points.csv').write_text('\n'.join(points) + '\n')
    (root / 'counts.csv').write_text('\n'.join(counts) + '\n')
    (root / 'points_of_one_class.csv').write_text('\n'.join(line.rsplit(',', 1)[0] for line in points) + '\n')
    (root / 'counts_of_one_class.csv').write_text(
        '\n'.join(['image,count', *(f'{index}.png,{index % 4}' for index in range(IMAGES))]) + '\n'
    )
    images = [dict(id=index, file_name=f'{index}.png', height=SIDE, width=SIDE) for index in range(IMAGES)]
    categories = [dict(id=label + 1, name=name) for label, name in enumerate(CLASSES)]
    (root / 'annotations.json').write_text(json.dumps(dict(images=images, annotations=boxes, categories=categories)))
    return root


def options(path, root):
    """A command line for this config that runs for seconds."""
    cfg = read_config(path)
    # A method for several classes says so in its command.
    several = 'classes=' in path.read_text(encoding='utf-8').split('"""')[1]
    given = {'data_root': str(root), 'num_workers': '0', 'ann_file': cfg.ann_file}
    if several:
        given['classes'] = ','.join(CLASSES)
    elif cfg.ann_file != 'annotations.json':
        given['ann_file'] = cfg.ann_file.replace('.csv', '_of_one_class.csv')
    given |= {name: str(value) for name, value in dict(max_iters=2, max_epochs=1).items() if name in cfg}
    if 'img_scale' in cfg and cfg.train_cfg.type != 'mmcount.FitLoop':
        given['img_scale'] = '64,64'
    for index, step in enumerate(cfg.get('train_pipeline', ())):
        if step['type'] == 'mmcount.HaloCrop':
            given[f'train_pipeline.{index}.size'] = '32'
    if cfg.train_cfg.type != 'mmcount.FitLoop':
        given['train_dataloader.batch_size'] = '2'
    return given, CLASSES if several else ('object',)


def without_weights(config):
    """Without the weights that are downloaded."""
    if isinstance(config, dict):
        return {key: None if key == 'init_cfg' else without_weights(value) for key, value in config.items()}
    return [without_weights(one) for one in config] if isinstance(config, list) else config


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_own_images_train_and_validate_with_the_options_of_the_page(path, folder, tmp_path):
    register_all_modules()
    given, classes = options(path, folder)
    cfg = read_config(path, given)
    cfg.model = without_weights(cfg.model.to_dict())
    if 'detector' in cfg.model:
        cfg.model['detector']['backbone'] = dict(init_cfg=None)
    cfg.work_dir, cfg.experiment_name = str(tmp_path), f'{path.stem}_{tmp_path.name}'
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert list(tmp_path.glob('*.pth'))
    metrics = runner.test()
    assert any(name.split('/')[-1] in ('MAE', 'mAE', 'mean_accuracy') for name in metrics), metrics
    assert tuple(runner.test_dataloader.dataset.metainfo['classes']) == classes


def test_classes_that_nobody_named_are_refused_with_the_option_that_names_them(folder):
    register_all_modules()
    path = next(one for one in LEAVES if one.stem.startswith('count-ception'))
    cfg = read_config(path, {'data_root': str(folder), 'ann_file': 'points.csv'})
    with pytest.raises(AnnotationError, match='option classes=dead,live'):
        DATASETS.build(cfg.train_dataloader.dataset)


def test_there_is_a_config_for_each_kind_of_annotation():
    assert {path.stem.rsplit('_', 1)[1] for path in LEAVES} == {'points-csv', 'boxes-csv', 'counts-csv', 'counted-coco'}
