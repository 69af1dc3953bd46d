"""Mask proposals in a pipeline: loading, storing, packing."""

import json

import numpy as np
import pytest

from mmcount.datasets import AnnotationError
from mmcount.datasets.proposals import HierarchicalProposals, encode_rle
from mmcount.datasets.transforms import LoadMaskProposals, PackCountInputs
from mmcount.registry import TASK_UTILS, TRANSFORMS

SOURCE = dict(type='mmcount.HierarchicalProposals', scales=(), levels=3)


def results(value=255, **more):
    image = np.zeros((40, 50, 3), np.uint8)
    image[5:15, 5:20] = value
    return dict(img=image, img_path='/data/a b.png', img_id='a', img_shape=(40, 50), ori_shape=(40, 50), **more)


def test_proposals_are_packed():
    transform = TRANSFORMS.build(dict(type='mmcount.LoadMaskProposals', source=SOURCE))
    loaded = transform(results())
    sample = PackCountInputs()(loaded)['data_samples']
    assert sample.proposals.masks.height == 40
    assert np.array_equal(sample.proposals.masks.masks[0], loaded['img'][..., 0] > 0)
    assert len(sample.proposals.scores) == len(loaded['proposal_masks'])
    nothing = PackCountInputs()({**results(), 'proposal_masks': np.zeros((0, 40, 50), bool), 'proposal_scores': []})
    assert nothing['data_samples'].proposals.masks.masks.shape == (0, 40, 50)
    assert 'proposals' not in PackCountInputs()(results())['data_samples']


def test_sources_are_registered():
    for name in ('HierarchicalProposals', 'RLEProposals', 'PRMProposals', 'MCGProposals'):
        assert TASK_UTILS.get(f'mmcount.{name}') is not None


def test_the_cache_holds_what_was_computed(tmp_path, monkeypatch):
    transform = LoadMaskProposals(source=SOURCE, cache_dir=tmp_path / 'cache')
    first = transform(results())
    files = list((tmp_path / 'cache').iterdir())
    assert [file.name.startswith('a_b-') for file in files] == [True]
    monkeypatch.setattr(HierarchicalProposals, '__call__', lambda *args: pytest.fail('computed again'))
    second = transform(results())
    for key in ('proposal_masks', 'proposal_scores'):
        assert np.array_equal(first[key], second[key])
    monkeypatch.undo()
    transform(results(value=100))  # other pixels, another file
    LoadMaskProposals(source={**SOURCE, 'levels': 4}, cache_dir=tmp_path / 'cache')(results())
    assert len(list((tmp_path / 'cache').iterdir())) == 3
    files[0].write_text('damaged')
    assert np.array_equal(transform(results())['proposal_masks'], first['proposal_masks'])
    assert json.loads(files[0].read_text())


def test_files_that_are_wrong_raise_or_give_nothing(tmp_path):
    source = dict(type='mmcount.RLEProposals', path=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'a b\.json'):
        LoadMaskProposals(source=source)(results())
    (tmp_path / 'a b.json').write_text('[1]')
    with pytest.raises(AnnotationError, match=r'a b\.json: proposal 0'):
        LoadMaskProposals(source=source)(results())
    loaded = LoadMaskProposals(source=source, on_error='empty')(results())
    assert loaded['proposal_masks'].shape == (0, 40, 50)
    assert len(loaded['proposal_scores']) == 0


def test_at_most_max_proposals(tmp_path):
    (tmp_path / 'a b.json').write_text(json.dumps([encode_rle(np.eye(40, 50))] * 9))
    source = dict(type='mmcount.RLEProposals', path=str(tmp_path))
    assert len(LoadMaskProposals(source=source, max_proposals=4)(results())['proposal_masks']) == 4
    assert len(LoadMaskProposals(source=source, max_proposals=None)(results())['proposal_masks']) == 9


def test_mistakes_in_the_pipeline_are_named():
    with pytest.raises(ValueError, match='before the transforms that resize or crop'):
        LoadMaskProposals(source=SOURCE)({**results(), 'ori_shape': (80, 100)})
    for wrong in (dict(on_error='ignore'), dict(max_proposals=0)):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            LoadMaskProposals(source=SOURCE, **wrong)
