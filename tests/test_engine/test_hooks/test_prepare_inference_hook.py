from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.registry import MODELS

from mmcount.engine.hooks import PrepareInferenceHook
from mmcount.utils import register_all_modules

CODEC = dict(type='mmcount.RedundantCountCodec', window_size=8, stride=2)
COUNTER = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
    backbone=dict(type='mmcount.CountCeption', window_size=8, stride=2),
    head=dict(type='mmcount.RedundantCountHead', codec=CODEC, norm_cfg=None, act_cfg=None),
)


def runner(model, *hooks):
    return SimpleNamespace(model=model, hooks=list(hooks))


def test_the_model_is_prepared_when_its_weights_are_there():
    register_all_modules(init_default_scope=False)
    model = MODELS.build(COUNTER).eval()
    run = runner(model)
    PrepareInferenceHook('bf16').before_test(run)
    assert run.model is not model
    assert next(run.model.backbone.parameters()).dtype == torch.bfloat16
    assert next(model.backbone.parameters()).dtype == torch.float32


def test_what_cannot_be_prepared_is_refused():
    with pytest.raises(ValueError, match="precision must be 'fp32' or 'bf16', got 'int8'"):
        PrepareInferenceHook('int8')
    with pytest.raises(ValueError, match='Identity cannot be prepared for fp32'):
        PrepareInferenceHook().before_test(runner(torch.nn.Identity()))
    with pytest.raises(ValueError, match='EMAHook exchanges them later'):
        PrepareInferenceHook().before_test(runner(torch.nn.Identity(), EMAHook()))
