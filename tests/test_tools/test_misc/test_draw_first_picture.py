import importlib.util

import pytest
from PIL import Image

from mmcount.zoo import model_names
from tests.builders import ROOT


@pytest.mark.parametrize('model', model_names())
def test_the_picture_is_drawn_from_a_model_and_its_scenes(model, tmp_path, monkeypatch, capsys):
    path = ROOT / 'tools' / 'misc' / 'draw_first_picture.py'
    spec = importlib.util.spec_from_file_location('draw_first_picture', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr('sys.argv', [path.name, model, str(tmp_path / 'first.png'), '--index', '1'])
    module.main()
    assert Image.open(tmp_path / 'first.png').width > 600
    assert 'are in the scene' in capsys.readouterr().out
