import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmcount.utils import register_all_modules
from mmcount.zoo import ModelCard, read_model
from mmcount.zoo.export import export_checkpoint

CARD = ModelCard('tiny', 'Counts dots', ('dot',))
CODEC = dict(type='mmcount.RedundantCountCodec', window_size=8, stride=4, num_classes=1)
CONFIG = dict(
    default_scope='mmcount',
    codec=CODEC,
    model=dict(
        type='mmcount.DenseCounter',
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
        backbone=dict(type='mmcount.CountCeption', window_size=8, stride=4),
        head=dict(type='mmcount.RedundantCountHead', codec=CODEC, loss=dict(type='mmdet.L1Loss')),
    ),
    test_pipeline=[dict(type='mmcount.LoadImage'), dict(type='mmcount.PackCountInputs')],
    work_dir='somewhere',
    train_cfg=dict(max_iters=3),
)


def build(cfg):
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmcount'):
        return MODELS.build(Config(cfg).model)


def test_a_checkpoint_becomes_a_file_that_builds_the_same_model(tmp_path):
    torch.manual_seed(0)
    trained = build(CONFIG).eval()
    torch.save(dict(state_dict=trained.state_dict(), meta={}), tmp_path / 'c.pth')
    digest = export_checkpoint(Config(CONFIG), tmp_path / 'c.pth', CARD, tmp_path / 'tiny.safetensors')
    loaded = read_model(tmp_path / 'tiny.safetensors', digest)
    assert set(loaded.cfg) == {'default_scope', 'codec', 'model', 'test_pipeline', 'metainfo'}
    assert loaded.cfg['metainfo'] == {'classes': ['dot']}
    model = build(loaded.cfg)
    model.load_state_dict(loaded.state_dict)
    image = torch.rand(1, 3, 40, 40)
    with torch.no_grad():
        expected, found = (one.eval()(image, mode='tensor') for one in (trained, model))
    expected, found = (one if isinstance(one, torch.Tensor) else one[0] for one in (expected, found))
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)


def test_weights_of_another_model_are_refused(tmp_path):
    state = build(CONFIG).state_dict()
    state.pop('backbone.conv9.conv.weight')
    torch.save(dict(state_dict=state), tmp_path / 'c.pth')
    with pytest.raises(ValueError, match='does not fit the model of'):
        export_checkpoint(Config(CONFIG), tmp_path / 'c.pth', CARD, tmp_path / 'tiny.safetensors')
    assert not (tmp_path / 'tiny.safetensors').exists()


def test_a_config_without_test_pipeline_is_refused(tmp_path):
    cfg = {key: value for key, value in CONFIG.items() if key != 'test_pipeline'}
    torch.save(dict(state_dict={}), tmp_path / 'c.pth')
    with pytest.raises(ValueError, match='has no test_pipeline'):
        export_checkpoint(Config(cfg), tmp_path / 'c.pth', CARD, tmp_path / 'tiny.safetensors')


def test_a_calibration_can_be_left_out(tmp_path):
    trained = build(CONFIG)
    trained.calibration.scale.fill_(2.0)
    trained.calibration.fitted.fill_(True)
    torch.save(dict(state_dict=trained.state_dict()), tmp_path / 'c.pth')
    for calibrated, scale in ((True, 2.0), (False, 1.0)):
        out = tmp_path / f'{calibrated}.safetensors'
        export_checkpoint(Config(CONFIG), tmp_path / 'c.pth', CARD, out, calibrated=calibrated)
        state = read_model(out).state_dict
        assert state['calibration.scale'].tolist() == [scale]
        assert bool(state['calibration.fitted']) is calibrated
