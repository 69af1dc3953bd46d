import importlib.util
import sys

import pytest
import yaml

from tests.builders import ROOT

DOC = '''"""A counter.

Of things.

Command:  python tools/train.py configs/a/x.py \\\\
              --cfg-options y=1
Data:     Things
Hardware: one core
Time:     2 min
Figures:  MAE 1.5, class accuracy 0.9 (10 images; README.md)
"""
'''


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('tool', ROOT / 'tools' / 'misc' / 'update_model_index.py')
    module = importlib.util.module_from_spec(spec)
    sys.modules['tool'] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / 'configs' / 'a'
    folder.mkdir(parents=True)
    (folder / 'x.py').write_text(DOC)
    (folder / 'metafile.yml').write_text('Collections:\n  - Name: A\n\nModels: []\n')
    (folder / 'README.md').write_text('# A\n<!-- configs: begin -->\nold\n<!-- configs: end -->\nrest\n')
    return tmp_path


def test_docstrings_become_metafiles_tables_and_the_index(tool, project):
    files = {path.relative_to(project).as_posix(): text for path, text in tool.generated(project).items()}
    assert yaml.safe_load(files['model-index.yml']) == {'Import': ['configs/a/metafile.yml']}
    content = yaml.safe_load(files['configs/a/metafile.yml'])
    assert content['Collections'] == [{'Name': 'A'}]
    (model,) = content['Models']
    assert (model['Name'], model['In Collection'], model['Config']) == ('x', 'A', 'configs/a/x.py')
    assert model['Results'][0]['Metrics'] == {'MAE': 1.5, 'class accuracy': 0.9}
    assert (
        '| [x](x.py) | A counter | one core; 2 min | MAE 1.5, class accuracy 0.9 (10 images'
        in files['configs/a/README.md']
    )
    assert files['configs/a/README.md'].endswith('<!-- configs: end -->\nrest\n')
    assert 'old' not in files['configs/a/README.md']


def test_writing_twice_changes_nothing(tool, project):
    for _ in range(2):
        before = tool.generated(project)
        for path, text in before.items():
            path.write_text(text)
    assert before == tool.generated(project)


def test_a_docstring_with_two_lines_of_a_field_is_read_whole(tool, project):
    leaf = tool.read_leaf(project / 'configs' / 'a' / 'x.py')
    assert leaf.fields['Command'] == 'python tools/train.py configs/a/x.py \\\n--cfg-options y=1'


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('Hardware: one core\n', '', 'Hardware'),
        ('Time:', 'Tiem:', 'Tiem'),
        ('MAE 1.5,', 'MAE,', 'Figures is'),
        (DOC, 'x = 1\n', 'no docstring'),
    ],
)
def test_what_is_missing_is_named(tool, project, old, new, message):
    path = project / 'configs' / 'a' / 'x.py'
    path.write_text(DOC.replace(old, new))
    with pytest.raises(ValueError, match=message):
        tool.read_leaf(path)


def test_a_figure_that_was_not_run_is_no_result(tool, project):
    path = project / 'configs' / 'a' / 'x.py'
    path.write_text(DOC.replace('MAE 1.5, class accuracy 0.9 (10 images; README.md)', 'none, not run here'))
    (model,) = yaml.safe_load(tool.metafile(path.parent, project))['Models']
    assert 'Results' not in model


def test_stale_files_fail_the_check_and_are_written_without_it(tool, project, monkeypatch, capsys):
    monkeypatch.setattr(tool, 'ROOT', project)
    monkeypatch.setattr(sys, 'argv', ['tool', '--check'])
    assert tool.main() == 1
    assert 'not up to date: configs/a/metafile.yml' in capsys.readouterr().out
    monkeypatch.setattr(sys, 'argv', ['tool'])
    assert tool.main() == 0
    monkeypatch.setattr(sys, 'argv', ['tool', '--check'])
    assert tool.main() == 0
