from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmcount.engine.hooks import CountVisualizationHook
from mmcount.engine.hooks.count_visualization_hook import file_stem
from mmcount.structures import CountDataSample
from mmcount.utils import register_all_modules
from mmcount.visualization import CountVisualizer


@pytest.fixture
def runner(tmp_path):
    return SimpleNamespace(work_dir=str(tmp_path), log_dir=str(tmp_path), iter=3, visualizer=CountVisualizer())


def batch(*identities, size=(8, 8), ori_shape=(8, 8)):
    samples = []
    for identity in identities:
        sample = CountDataSample(metainfo={'img_id': identity, 'ori_shape': ori_shape, 'img_shape': size})
        sample.gt_counts, sample.pred_counts = torch.tensor([2.0]), torch.tensor([2.5])
        samples.append(sample)
    return {'inputs': [torch.full((3, *size), 90, dtype=torch.uint8) for _ in identities]}, samples


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob('*.png'))


def test_the_first_images_of_a_validation_are_drawn(runner, tmp_path):
    hook = CountVisualizationHook(draw=True, num_val_images=3)
    hook.before_val_epoch(runner)
    for index, identities in enumerate((('a', 'b'), ('c', 'd'))):
        hook.after_val_iter(runner, index, *batch(*identities))
    hook.after_val_epoch(runner)
    assert names(tmp_path / 'vis_data') == ['val/a_3.png', 'val/b_3.png', 'val/c_3.png', 'val_counts.png']


def test_only_every_interval_th_validation_is_drawn(runner, tmp_path):
    hook = CountVisualizationHook(draw=True, plots=False, interval=2)
    for runner.iter in (10, 20, 30):
        hook.before_val_epoch(runner)
        hook.after_val_iter(runner, 0, *batch('a'))
    assert names(tmp_path / 'vis_data' / 'val') == ['a_10.png', 'a_30.png']


def test_a_test_draws_all_images_or_as_many_as_asked(runner, tmp_path):
    for limit, folder in ((None, 'all'), (1, 'some')):
        hook = CountVisualizationHook(draw=True, max_test_images=limit, test_out_dir=str(tmp_path / folder))
        hook.before_test_epoch(runner)
        hook.after_test_iter(runner, 0, *batch('a/1', 'a_1'))
        hook.after_test_epoch(runner)
    assert len(names(tmp_path / 'all')) == 2
    assert len(names(tmp_path / 'some')) == 1
    assert (tmp_path / 'vis_data' / 'test_counts.png').is_file()


def test_without_drawing_only_figures_are_written(runner, tmp_path):
    hook = CountVisualizationHook()
    hook.before_test_epoch(runner)
    hook.after_test_iter(runner, 0, *batch('a'))
    hook.after_test_epoch(runner)
    assert names(tmp_path) == ['vis_data/test_counts.png']


def test_an_image_is_read_from_its_file(runner, tmp_path):
    path = tmp_path / 'image.png'
    stored = np.random.default_rng(0).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    cv2.imwrite(str(path), stored)
    data_batch, samples = batch('a')
    samples[0].set_metainfo({'img_path': str(path)})
    image = CountVisualizationHook().original_image(data_batch, 0, samples[0])
    np.testing.assert_array_equal(image, stored[..., ::-1])


def test_generated_data_is_shown_without_padding_in_its_original_size():
    data_batch, samples = batch('a', size=(16, 16), ori_shape=(8, 8))
    data_batch['inputs'][0] = torch.nn.functional.pad(data_batch['inputs'][0], (0, 4, 0, 4))
    image = CountVisualizationHook().original_image(data_batch, 0, samples[0])
    assert image.shape == (8, 8, 3)
    assert (image == 90).all()


def test_names_of_images_become_different_file_names():
    assert file_stem('0001') == '0001'
    assert len({file_stem(name) for name in ('a/b', 'a_b', 'a\\b')}) == 3
    assert '/' not in file_stem('../../etc')


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match='interval must be at least 1'):
        CountVisualizationHook(interval=0)
    with pytest.raises(ValueError, match='must not be negative'):
        CountVisualizationHook(num_val_images=-1)


def test_a_training_leaves_pictures_curves_and_counts(tiny_config, tmp_path):
    register_all_modules()
    cfg = Config.fromfile(tiny_config)
    cfg.work_dir = str(tmp_path / 'run')
    cfg.experiment_name = 'test_count_visualization_hook'
    cfg.default_hooks.visualization = {'type': 'mmcount.CountVisualizationHook', 'draw': True, 'num_val_images': 1}
    cfg.visualizer = {
        'type': 'mmcount.CountVisualizer',
        'name': 'test_count_visualization_hook',
        'vis_backends': [{'type': 'LocalVisBackend'}],
    }
    built = Runner.from_cfg(cfg)
    built.train()
    built.test()
    found = names(tmp_path / 'run' / 'vis_data')
    assert [name for name in found if '/' not in name] == ['curves.png', 'test_counts.png', 'val_counts.png']
    assert sum(name.startswith('val/') for name in found) == 2
    assert sum(name.startswith('test/') for name in found) == 5
