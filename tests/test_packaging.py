import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

import mmcount

ROOT = Path(__file__).resolve().parents[1]


def load_script(path):
    """Import a script of the checkout, which is in no package."""
    spec = importlib.util.spec_from_file_location(f'script_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def setup_script():
    path = ROOT / 'setup.py'
    if not path.is_file():
        pytest.skip('needs a checkout: there is no setup.py beside the tests')
    return load_script(path)


@pytest.fixture
def tree(tmp_path):
    (tmp_path / 'mmcount').mkdir()
    (tmp_path / 'configs' / 'family').mkdir(parents=True)
    (tmp_path / 'configs' / 'family' / 'a.py').write_text('x = 1\n')
    (tmp_path / 'configs' / '__pycache__').mkdir()
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools' / 'train.py').write_text('')
    (tmp_path / 'model-index.yml').write_text('Import: []\n')
    return tmp_path


@pytest.mark.parametrize(
    ('command', 'mode'),
    [
        ('sdist', 'copy'),
        ('bdist_wheel', 'copy'),
        ('develop', 'symlink'),
        ('editable_wheel', 'symlink'),
        ('egg_info', None),
        ('dist_info', None),
    ],
)
def test_each_command_fills_mim_its_own_way(setup_script, command, mode):
    assert setup_script.mim_mode(['setup.py', command]) == mode


def test_editable_install_links_and_sees_later_edits(setup_script, tree):
    setup_script.fill_mim(tree, 'symlink')
    mim = tree / 'mmcount' / '.mim'
    assert all((mim / name).is_symlink() for name in setup_script.MIM_ENTRIES)
    (tree / 'configs' / 'family' / 'b.py').write_text('x = 2\n')
    assert (mim / 'configs' / 'family' / 'b.py').read_text() == 'x = 2\n'


def test_links_survive_a_move_of_the_checkout(setup_script, tree):
    setup_script.fill_mim(tree, 'symlink')
    moved = tree.rename(tree.with_name('moved'))
    assert (moved / 'mmcount' / '.mim' / 'configs' / 'family' / 'a.py').is_file()


def test_copies_hold_the_files_without_caches(setup_script, tree):
    setup_script.fill_mim(tree, 'copy')
    mim = tree / 'mmcount' / '.mim'
    assert not setup_script.has_links(mim)
    assert (mim / 'configs' / 'family' / 'a.py').is_file()
    assert not (mim / 'configs' / '__pycache__').exists()


@pytest.mark.parametrize('first', ['symlink', 'copy'])
@pytest.mark.parametrize('second', ['symlink', 'copy'])
def test_filling_again_replaces_what_was_there_and_keeps_the_sources(setup_script, tree, first, second):
    setup_script.fill_mim(tree, first)
    setup_script.fill_mim(tree, second)
    assert setup_script.has_links(tree / 'mmcount' / '.mim') is (second == 'symlink')
    assert (tree / 'configs' / 'family' / 'a.py').read_text() == 'x = 1\n'


def test_missing_sources_are_left_out(setup_script, tmp_path):
    (tmp_path / 'mmcount').mkdir()
    setup_script.fill_mim(tmp_path, 'symlink')
    assert list((tmp_path / 'mmcount' / '.mim').iterdir()) == []


def test_clearing_never_follows_links(setup_script, tree):
    setup_script.fill_mim(tree, 'symlink')
    setup_script.clear_mim(tree / 'mmcount' / '.mim')
    assert (tree / 'configs' / 'family' / 'a.py').is_file()
    assert list((tree / 'mmcount' / '.mim').iterdir()) == []


def test_where_links_are_forbidden_files_are_copied_with_a_warning(setup_script, tree, monkeypatch):
    def forbidden(self, target):
        raise OSError('not permitted')

    monkeypatch.setattr(Path, 'symlink_to', forbidden)
    with pytest.warns(UserWarning, match='copying instead'):
        setup_script.fill_mim(tree, 'symlink')
    assert (tree / 'mmcount' / '.mim' / 'tools' / 'train.py').is_file()


def test_requirement_files_are_read_without_comments_and_options(setup_script, tmp_path):
    path = tmp_path / 'r.txt'
    path.write_text('# why\n-c other.txt\n\nnumpy<2.3  # because\nscipy\n')
    assert setup_script.parse_requirements(path) == ['numpy<2.3', 'scipy']


def test_install_requires_names_neither_family_nor_torch(setup_script):
    names = setup_script.parse_requirements(ROOT / 'requirements' / 'runtime.txt')
    assert sorted(re.split(r'[<>=!~]', name)[0] for name in names) == [
        'numpy',
        'packaging',
        'rich',
        'safetensors',
        'scipy',
        'typer',
    ]


@pytest.mark.parametrize('value', ['yes', '2'])
def test_wrong_setting_for_operators_is_an_error_that_lists_the_right_ones(setup_script, monkeypatch, value):
    monkeypatch.setenv('MMCOUNT_WITH_OPS', value)
    with pytest.raises(SystemExit, match='expected auto, 0 or 1'):
        setup_script.ops_wanted()


def test_operators_switched_off_leave_a_pure_package(setup_script, monkeypatch):
    monkeypatch.setenv('MMCOUNT_WITH_OPS', '0')
    assert setup_script.ops_extensions() == []


@pytest.mark.parametrize(('value', 'fails'), [('auto', False), ('1', True)])
def test_failed_library_is_dropped_in_auto_mode_and_fatal_on_demand(setup_script, monkeypatch, tmp_path, value, fails):
    from setuptools import Distribution, Extension

    def no_compiler(output):
        raise FileNotFoundError('compiler is not on PATH')

    def compiler(output):
        output.write_bytes(b'library')

    bad, good = Extension('mmcount.ops._C', []), Extension('mmcount.ops._C_cuda', [])
    bad.build, good.build = no_compiler, compiler
    command = setup_script.BuildOps(Distribution({'name': 'x', 'ext_modules': [bad, good]}))
    command.build_lib = str(tmp_path / 'lib')
    command.build_temp = str(tmp_path / 'temp')
    command.ensure_finalized()
    monkeypatch.setenv('MMCOUNT_WITH_OPS', value)
    if fails:
        with pytest.raises(FileNotFoundError, match='not on PATH'):
            command.build_extensions()
        return
    with pytest.warns(UserWarning, match=r'mmcount\.ops\._C does not build'):
        command.build_extensions()
    assert command.extensions == [good]
    assert (tmp_path / 'lib' / 'mmcount' / 'ops' / '_C_cuda.so').read_bytes() == b'library'


def test_version_is_the_same_everywhere():
    citation = (ROOT / 'CITATION.cff').read_text(encoding='utf-8')
    assert f'version: {mmcount.__version__}\n' in citation


def test_every_metafile_of_the_model_index_exists():
    import yaml

    index = yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))
    missing = [name for name in index['Import'] if not (ROOT / name).is_file()]
    assert not missing


@pytest.mark.parametrize('script', sorted((ROOT / 'tools').rglob('*.sh')), ids=lambda path: path.name)
def test_shell_scripts_parse(script):
    subprocess.run(['bash', '-n', str(script)], check=True)


def test_a_module_of_data_sets_and_of_the_interface_has_its_name_to_itself():
    """A traceback or a search for ``coco.py`` must not end in two places."""
    places = {}
    for path in (ROOT / 'mmcount').rglob('*.py'):
        # generators of scenes are built alike: their folder is a part of their names
        if path.name != '__init__.py' and path.parent.name not in ('lego', 'cells'):
            places.setdefault(path.name, []).append(path.relative_to(ROOT / 'mmcount').as_posix())
    shared = [where for where in places.values() if len(where) > 1]
    assert not [where for where in shared if any(one.startswith(('datasets/', 'apis/')) for one in where)]


#: Packages from the ground up: each imports only those before it.
FLOORS = (
    'utils', 'zoo', 'structures', 'ops', 'codecs', 'visualization',
    'datasets', 'models', 'evaluation', 'engine', 'apis', 'cli',
)  # fmt: skip


def imported(path):
    """Names that a module imports, at its top or later: 'mmcount.utils.errors.AnnotationError'."""
    package = ('mmcount', *path.relative_to(ROOT / 'mmcount').parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = '.'.join((*start, *filter(None, [node.module])))
            yield from (f'{module}.{one.name}' for one in node.names)


def test_imports_only_go_down():
    upward = []
    for floor, package in enumerate(FLOORS):
        above = tuple(f'mmcount.{other}.' for other in FLOORS[floor + 1 :])
        for path in (ROOT / 'mmcount' / package).rglob('*.py'):
            upward += [f'{path.relative_to(ROOT)}: {name}' for name in imported(path) if f'{name}.'.startswith(above)]
    assert not upward


def test_parsers_need_no_registry_and_no_deep_learning_framework():
    known = {*sys.stdlib_module_names, 'numpy', 'PIL', 'pycocotools', 'scipy', 'h5py', 'mmcount'}
    for path in (ROOT / 'mmcount' / 'datasets' / 'formats').glob('*.py'):
        for name in imported(path):
            package, _, inner = name.partition('.')
            assert package in known, name
            assert package != 'mmcount' or inner.startswith(('utils.', 'datasets.formats.')), name


def bash(script, **environment):
    """Run lines of bash after sourcing the helpers of the shell scripts."""
    command = f'set -euo pipefail\nsource tools/env/common.sh\n{script}'
    return subprocess.run(
        ['bash', '-c', command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_machine_without_python_is_told_how_to_get_one():
    done = bash('preflight', MMCOUNT_PYTHON='no-such-python')
    assert done.returncode == 1
    assert 'apt-get install python3' in done.stderr


def test_machine_without_a_compiler_or_disk_is_told_everything_at_once():
    done = bash(
        f'compiler() {{ return 1; }}; STAMPS=/nonexistent; SYSTEM_PYTHON={sys.executable}; preflight',
        MMCOUNT_NEEDED_GB='999999',
    )
    assert done.returncode == 1
    assert 'build-essential' in done.stderr
    assert '999999 GB are needed' in done.stderr


def test_fingerprint_follows_words_and_file_contents(tmp_path):
    path = tmp_path / 'r.txt'

    def value(word, content):
        path.write_text(content)
        return bash(f'fingerprint {word} -- {path}').stdout

    first = value('a', 'numpy')
    assert len(first.strip()) == 64
    assert value('a', 'numpy') == first
    assert value('b', 'numpy') != first
    assert value('a', 'scipy') != first


def test_failed_step_shows_the_end_of_its_log_and_stops(tmp_path):
    done = bash(f'LOGS={tmp_path}; step name "a title" bash -c "echo the reason; exit 3"; echo went on')
    assert done.returncode == 1
    assert 'the reason' in done.stderr
    assert str(tmp_path / 'name.log') in done.stderr
    assert 'went on' not in done.stdout


def test_two_locked_commands_do_not_overlap(tmp_path):
    lock, log = tmp_path / 'lock', tmp_path / 'log'
    body = f'work() {{ echo in >>{log}; sleep 0.2; echo out >>{log}; }}'
    done = bash(f'{body}; with_lock {lock} work & with_lock {lock} work; wait')
    assert done.returncode == 0, done.stderr
    assert log.read_text().split() == ['in', 'out', 'in', 'out']


def test_report_prints_the_counter_beside_the_baseline(tmp_path):
    report = load_script(ROOT / 'tools' / 'analysis_tools' / 'quickstart_report.py')
    folder = tmp_path / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    lines = [
        {'loss': 3.0, 'step': 1},
        {'count/MAE': 9.0, 'step': 1},
        {'count/MAE': 1.25, 'count/RMSE': 2.0, 'count/bias': -0.5, 'count/MAE_mean_baseline': 7.0, 'step': 2},
    ]
    text = '\n'.join(map(json.dumps, lines)) + '\n{"count/MAE": 0.'
    (folder / 'scalars.json').write_text(text)
    metrics, images = report.read_metrics(tmp_path)
    assert images == 'validation images'
    table = report.table(metrics)
    assert re.search(r'MAE +1\.250 +7\.000', table)
    assert re.search(r'bias +-0\.500', table)


def test_report_of_an_untrained_folder_says_that_nothing_was_logged(tmp_path):
    report = load_script(ROOT / 'tools' / 'analysis_tools' / 'quickstart_report.py')
    with pytest.raises(FileNotFoundError, match='did training finish'):
        report.read_metrics(tmp_path)


def test_installed_package_resolves_configs_by_scope(tmp_path):
    try:
        distribution('mmcount')
    except PackageNotFoundError:
        pytest.skip('mmcount is not installed here, only importable; run `pip install -e .`')
    mim = Path(mmcount.__file__).parent / '.mim'
    if not mim.is_dir():
        pytest.skip('mmcount was installed without its .mim folder; run `pip install -e .`')
    from mmengine.config import Config
    from mmengine.utils import get_installed_path

    assert Path(get_installed_path('mmcount')).samefile(Path(mmcount.__file__).parent)
    leaf = tmp_path / 'leaf.py'
    leaf.write_text("_base_ = 'mmcount::_base_/default_runtime.py'\n")
    assert Config.fromfile(leaf).default_scope == 'mmcount'
