"""mmdet's inferencers and tools on the configs of detectors that count."""

import runpy
import sys
from pathlib import Path

import cv2
import mmdet
import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer, inference_detector, init_detector
from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope
from PIL import Image

from mmcount.registry import MODELS
from mmcount.utils import register_all_modules

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
TOOLS = Path(mmdet.__file__).parent / '.mim' / 'tools' / 'analysis_tools'
CLASSES = ('0', '2', '3', '4', '5', '8')
COUNTING = 'counting_detector/counting-fcos-frozen_tiny-resnet_cpu-4min_mnist-lego-shelf.py'
CLCNET = 'clcnet/clcnet-s2-cls10_tiny-resnet_cpu-15min_mnist-lego-shelf.py'
PATHS = [COUNTING, CLCNET, 'clcnet/clcnet-s1-cls10_tiny-resnet_cpu-15min_mnist-lego-shelf.py']
NAMES = ['CountingDetector', 'CLCNet s2', 'CLCNet s1']


@pytest.fixture(autouse=True)
def scope():
    """The default scope of the process is ours again afterwards."""
    register_all_modules()
    init_default_scope('mmcount')
    yield
    if DefaultScope.get_current_instance().scope_name != 'mmcount':
        init_default_scope('mmcount')


def config(path, **data):
    cfg = Config.fromfile(CONFIGS / path)
    if path == COUNTING:
        cfg.model.detector.init_cfg = None
        cfg.model.detector.test_cfg.score_thr = 0.0
    else:
        cfg.model.test_cfg.rcnn.score_thr = 0.0
    cfg.merge_from_dict(data)
    return cfg


@pytest.fixture
def checkpoint(tmp_path):
    """Writes random weights of a config, with the names of the classes."""

    def save(cfg):
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        path = tmp_path / 'weights.pth'
        torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=CLASSES))), path)
        return str(path)

    return save


def picture(height=64, width=96, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize('scope_name', ['mmdet', 'mmcount'])
@pytest.mark.parametrize('path', PATHS, ids=NAMES)
def test_det_inferencer_counts_in_arrays_and_files_of_any_size(path, scope_name, checkpoint, tmp_path):
    cfg = config(path)
    inferencer = DetInferencer(cfg, checkpoint(cfg), device='cpu', scope=scope_name, show_progress=False)
    assert inferencer.model.dataset_meta['classes'] == CLASSES
    file = tmp_path / 'picture.png'
    cv2.imwrite(str(file), picture())
    out = tmp_path / 'out'
    results = inferencer(
        [picture(), str(file), picture(96, 64)], batch_size=3, return_datasamples=True, out_dir=str(out)
    )
    first, same, other = (sample.pred_instances for sample in results['predictions'])
    assert len(first.counts) == len(first.bboxes) > 0
    assert torch.equal(first.counts, same.counts)
    assert torch.equal(first.bboxes, same.bboxes)
    alone = inferencer(picture(96, 64), return_datasamples=True, no_save_vis=True)['predictions'][0].pred_instances
    assert torch.equal(alone.counts, other.counts)
    assert len(list((out / 'vis').iterdir())) == 3
    if path == COUNTING:
        assert all(name.split(' x')[0] in CLASSES for name in first.label_names)


def test_the_dicts_of_det_inferencer_hold_no_counts(checkpoint):
    """mmdet chooses their fields: whoever wants counts asks for the samples."""
    cfg = config(COUNTING)
    inferencer = DetInferencer(cfg, checkpoint(cfg), device='cpu', show_progress=False)
    assert inferencer(picture(), no_save_vis=True)['predictions'][0].keys() == {'labels', 'scores', 'bboxes'}


@pytest.mark.parametrize('path', PATHS, ids=NAMES)
def test_init_detector_and_inference_detector_count(path, checkpoint, tmp_path):
    cfg = config(path)
    model = init_detector(cfg, checkpoint(cfg), device='cpu')
    file = tmp_path / 'picture.png'
    cv2.imwrite(str(file), picture())
    # Files first: of an array, mmdet replaces the loader of the config for good.
    from_file, from_array = inference_detector(model, str(file)), inference_detector(model, [picture(), picture()])[0]
    assert len(from_array.pred_instances.counts) > 0
    assert torch.equal(from_array.pred_instances.counts, from_file.pred_instances.counts)


def test_init_detector_needs_no_weights_of_the_backbone():
    cfg = config(COUNTING, **{'model.backbone.init_cfg': dict(type='Pretrained', checkpoint='nowhere.pth')})
    assert init_detector(cfg, None, device='cpu').backbone.init_cfg[0]['type'] == 'Kaiming'


def test_configs_of_files_load_lazily_and_pass_images_without_annotations(checkpoint):
    data = Config.fromfile(CONFIGS / '_base_' / 'datasets' / 'locount.py')
    cfg = config(COUNTING, test_dataloader=dict(_delete_=True, **data.test_dataloader))
    cfg.test_dataloader.dataset.pipeline[1].scale = (96, 64)
    inferencer = DetInferencer(cfg, checkpoint(cfg), device='cpu', show_progress=False)
    (sample,) = inferencer(picture(128, 192), return_datasamples=True, no_save_vis=True)['predictions']
    assert sample.img_shape == (64, 96)
    assert len(sample.pred_instances.counts) > 0


def test_of_16_bits_mmdet_s_loader_keeps_the_upper_8_as_ours_does(checkpoint, tmp_path):
    cfg = config(COUNTING)
    inferencer = DetInferencer(cfg, checkpoint(cfg), device='cpu', show_progress=False)
    deep, flat = tmp_path / 'deep.png', tmp_path / 'flat.png'
    cv2.imwrite(str(deep), picture().astype(np.uint16) * 256 + 77)
    cv2.imwrite(str(flat), picture())
    found = inferencer([str(deep), str(flat)], return_datasamples=True, no_save_vis=True)['predictions']
    assert torch.equal(found[0].pred_instances.scores, found[1].pred_instances.scores)


def test_images_that_are_not_8_bit_are_refused(checkpoint, tmp_path):
    cfg = config(COUNTING)
    weights = checkpoint(cfg)
    file = tmp_path / 'measured.tif'
    Image.fromarray(np.random.default_rng(0).random((64, 96), dtype=np.float32)).save(file)
    for scope_name, error in (('mmdet', AssertionError), ('mmcount', ValueError)):
        inferencer = DetInferencer(cfg, weights, device='cpu', scope=scope_name, show_progress=False)
        with pytest.raises(error, match=r'failed to load image|32-bit pixels'):
            inferencer(str(file))
        with pytest.raises(ValueError, match='pixels of type uint16, expected uint8'):
            inferencer(picture().astype(np.uint16))


def run(monkeypatch, tool, *arguments):
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
    runpy.run_path(str(TOOLS / tool), run_name='__main__')


@pytest.mark.parametrize('path', PATHS[:2], ids=NAMES[:2])
def test_mmdet_counts_operations_and_measures_loading(path, monkeypatch, capsys):
    file = CONFIGS / path
    run(monkeypatch, 'get_flops.py', file, '--num-images', 1)
    assert 'Flops' in capsys.readouterr().out
    run(monkeypatch, 'benchmark.py', file, '--task', 'dataloader', '--max-iter', 4, '--num-warmup', 1)


def test_mmdet_browses_images_with_counts(monkeypatch, tmp_path):
    root = tmp_path / 'Locount'
    for folder in ('Locount_ImagesTrain', 'annotation_train'):
        (root / folder).mkdir(parents=True)
    for name in ('000001', '000002'):
        cv2.imwrite(str(root / 'Locount_ImagesTrain' / f'{name}.jpg'), picture())
        (root / 'annotation_train' / f'{name}.txt').write_text('10,10,60,50,Cake,3\n40,20,90,60,Pie,1\n')
    cfg = Config.fromfile(CONFIGS / '_base_' / 'datasets' / 'locount.py')
    cfg.train_dataloader.dataset.update(data_root=f'{root}/', img_shape=picture().shape[:2])
    cfg.train_dataloader.dataset.pipeline[2].scale = (96, 64)
    cfg.merge_from_dict(
        dict(default_scope='mmcount', visualizer=dict(type='mmcount.CountVisualizer', vis_backends=[], name='browse'))
    )
    cfg.dump(tmp_path / 'config.py')
    run(monkeypatch, 'browse_dataset.py', tmp_path / 'config.py', '--output-dir', tmp_path / 'out', '--not-show')
    assert sorted(file.name for file in (tmp_path / 'out').iterdir()) == ['000001.jpg', '000002.jpg']
