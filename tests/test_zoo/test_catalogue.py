import subprocess
import sys

import pytest

from mmcount import zoo


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(zoo.UnknownModelError, match=r"unknown model 'cell' \(did you mean 'cells'\?\); known models: "):
        zoo.load('cell')
    with pytest.raises(zoo.UnknownModelError, match='cells, digits'):
        zoo.model_card('zebra')


def test_names_are_exact():
    assert zoo.model_names() == ('cells', 'digits')
    assert zoo.is_model_name('cells')
    assert not zoo.is_model_name('Cells')
    assert not zoo.is_model_name(None)


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    changed = tmp_path / 'cells.safetensors'
    content = bytearray(zoo.model_path('cells').read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    monkeypatch.setattr('mmcount.zoo.catalogue.model_path', lambda name: changed)
    with pytest.raises(zoo.ModelFileError, match='not the expected file'):
        zoo.load('cells')


def test_listing_imports_neither_torch_nor_the_stack():
    code = 'import sys; from mmcount.zoo import model_card; model_card("cells"); print("torch" in sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'False'


@pytest.mark.parametrize('name', ['cells', 'digits'])
def test_files_are_small_and_say_what_is_in_them(name):
    card = zoo.model_card(name)
    assert zoo.model_path(name).stat().st_size <= 4_000_000
    assert card.name == name
    assert card.classes
    assert card.figures
    assert card.good_for
    assert card.not_good_for
