import subprocess
import sys
import warnings

import pytest

from mmcount.utils import versions
from mmcount.utils.versions import TESTED, family_warning, installed_versions, range_warnings, warn_about_versions

MMENGINE, MMCV, MMDET = TESTED


@pytest.mark.parametrize(
    ('tested', 'version', 'inside'),
    [
        (MMENGINE, '0.10.4', True),
        (MMENGINE, '0.10.3', False),
        (MMENGINE, '0.10.12', True),
        (MMENGINE, '0.11.0rc3', True),
        (MMENGINE, '1.0.0', False),
        (MMCV, '2.0.1', False),
        (MMCV, '2.1.0', True),
        (MMCV, '2.3.6.post1', True),
        (MMCV, '2.2.0+cu121', True),
        (MMCV, '3.0', False),
        (MMDET, '3.2.0', False),
        (MMDET, '3.3.0', True),
        (MMDET, '3.99', True),
        (MMDET, '4.0.0', False),
        (MMDET, 'not a version', False),
    ],
)
def test_range_has_a_closed_start_and_an_open_end(tested, version, inside):
    assert tested.contains(version) is inside


def test_nothing_installed_gives_no_message():
    assert installed_versions(lambda name: None) == {}
    assert range_warnings({}) == []
    assert family_warning({}) is None


def test_versions_are_read_under_either_distribution_name():
    for names in ({'mmdet': '3.3.0'}, {'onedl-mmdetection': '3.5.1'}):
        assert installed_versions(names.get) == names


def test_unreadable_metadata_counts_as_not_installed(monkeypatch):
    def broken(name):
        raise KeyError('Version')

    monkeypatch.setattr(versions.metadata, 'version', broken)
    assert installed_versions() == {}


def test_each_distribution_outside_its_range_is_named_with_the_range():
    messages = range_warnings({'mmengine': '0.7.0', 'onedl-mmcv': '2.3.6', 'mmdet': '2.28.0'})
    assert len(messages) == 2
    assert 'mmengine 0.7.0' in messages[0]
    assert '>=0.10.4,<1.0' in messages[0]
    assert 'mmdet 2.28.0' in messages[1]


@pytest.mark.parametrize('tested', TESTED, ids=lambda t: t.module)
def test_both_families_of_one_module_are_reported_with_the_command_that_helps(tested):
    message = family_warning({tested.upstream: '1', tested.fork: '1'})
    assert message is not None
    assert f'pip uninstall {tested.upstream} {tested.fork}' in message


def test_modules_of_different_families_do_not_clash():
    assert family_warning({'mmengine': '0.10.7', 'onedl-mmcv': '2.3.6', 'mmdet': '3.3.0'}) is None


def test_untested_version_warns_and_does_not_raise(monkeypatch):
    monkeypatch.delenv('MMCOUNT_SKIP_VERSION_CHECK', raising=False)
    monkeypatch.setattr(versions, 'installed_versions', lambda: {'mmdet': '9.0', 'onedl-mmdetection': '3.5.1'})
    with pytest.warns(UserWarning, match='MMCOUNT_SKIP_VERSION_CHECK') as caught:
        warn_about_versions()
    messages = [str(w.message) for w in caught]
    assert len(messages) == 2
    assert 'mmdet 9.0 is outside' in messages[0]
    assert 'overwrite each other' in messages[1]


def test_version_check_can_be_switched_off(monkeypatch):
    monkeypatch.setenv('MMCOUNT_SKIP_VERSION_CHECK', '1')
    monkeypatch.setattr(versions, 'installed_versions', lambda: {'mmdet': '9.0'})
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        warn_about_versions()


def test_missing_mmengine_is_an_import_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr(versions, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'needs MMEngine.*setup_env\.sh'):
        versions.require_mmengine()


def test_import_mmcount_leaves_detectors_operators_and_compilers_alone():
    heavy = ('mmdet', 'mmcv', 'mmcount.models', 'mmcount.ops', 'torch.utils.cpp_extension', 'matplotlib')
    template = f'import sys, {{}}; print([m for m in {heavy!r} if m in sys.modules])'
    # What MMEngine imports by itself is not ours to judge.
    ours, theirs = (
        subprocess.run([sys.executable, '-c', template.format(m)], capture_output=True, text=True, check=True).stdout
        for m in ('mmcount', 'mmengine.config.utils')
    )
    assert ours == theirs
    assert 'mmdet' not in ours
