"""The models that come along give their figures: built from the config in their files, on small sets of own scenes."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, DefaultScope

from mmcount import zoo
from mmcount.utils import register_all_modules

SCENES = {
    'cells': dict(
        type='mmcount.SyntheticCells', subset='test', num_samples=10, seed=7,
        scene=dict(canvas=(128, 128), radius=(5, 7)),
    ),
    'digits': dict(
        type='mmcount.MNISTLego', subset='test', num_samples=8,
        scene=dict(layout='single', merge_classes=True, class_mode='mixed', num_objects=(0, 30), part_size=14,
                   max_overlap=0.2),
    ),
}  # fmt: skip


def counts(name):
    """Predicted and true counts (n,) of the scenes of a model."""
    register_all_modules(init_default_scope=False)
    loaded = zoo.load(name)
    with DefaultScope.overwrite_default_scope(loaded.cfg['default_scope']):
        model = MODELS.build(Config(loaded.cfg).model).eval()
        dataset = DATASETS.build(dict(SCENES[name], pipeline=loaded.cfg['test_pipeline'], test_mode=True))
    model.load_state_dict(loaded.state_dict)
    with torch.no_grad():
        samples = [model.test_step(pseudo_collate([dataset[index]]))[0] for index in range(len(dataset))]
    return np.array([(float(one.pred_counts), float(one.gt_counts)) for one in samples]).T


@pytest.mark.parametrize(('name', 'figure'), [('cells', 6.75), ('digits', 0.558)])
def test_a_model_has_its_error_on_a_small_set(name, figure):
    predicted, true = counts(name)
    assert np.abs(predicted - true).mean() == pytest.approx(figure, rel=0.1)
    assert np.corrcoef(predicted, true)[0, 1] > 0.9


def test_cells_finds_few_cells_in_empty_images():
    register_all_modules(init_default_scope=False)
    loaded = zoo.load('cells')
    with DefaultScope.overwrite_default_scope('mmcount'):
        model = MODELS.build(Config(loaded.cfg).model).eval()
        empty = dict(SCENES['cells'], num_samples=4, scene=dict(canvas=(96, 96), empty_prob=1, debris_prob=0))
        dataset = DATASETS.build(dict(empty, pipeline=loaded.cfg['test_pipeline'], test_mode=True))
    model.load_state_dict(loaded.state_dict)
    with torch.no_grad():
        found = [float(model.test_step(pseudo_collate([dataset[k]]))[0].pred_counts) for k in range(4)]
    assert np.mean(found) < 5
