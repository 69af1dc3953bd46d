import sys

import numpy as np
import pytest
import torch

from mmcount.models.pointing import CountSVM, feature_block, stack_blocks


def images(number, seed=0, width=12):
    """Features whose first entries say the count, among noise."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 7, number)
    features = rng.normal(0, 0.1, (number, width)).astype(np.float32)
    features[np.arange(number), np.minimum(counts, 4)] += 1
    return features, counts


@pytest.mark.parametrize('options', [{}, dict(standardize=True), dict(projection=6), dict(regularisation=(1.0,))])
def test_counts_are_learned_and_the_last_class_is_open(options):
    features, counts = images(200)
    machine = CountSVM(max_count=4, **options)
    figures = machine.fit(features, counts.tolist())
    test, true = images(100, seed=1)
    found = machine(torch.from_numpy(test)).argmax(dim=1).numpy()
    assert (found == np.minimum(true, 4)).mean() > 0.95
    assert figures['svm_train_accuracy'] > 0.95
    assert ('svm_cv_accuracy' in figures) == (options.get('regularisation') is None)


def test_folded_weights_give_scikit_learns_decision():
    from sklearn.svm import LinearSVC

    features, counts = images(80)
    machine = CountSVM(max_count=4, regularisation=(1.0,))
    machine.fit(features, counts.tolist())
    labels = np.minimum(counts, 4)
    reference = LinearSVC(C=1.0, max_iter=5000, random_state=0).fit(features.astype(np.float64), labels)
    assert machine(torch.from_numpy(features)).numpy() == pytest.approx(reference.decision_function(features), abs=1e-4)


def test_a_loaded_machine_needs_no_scikit_learn(monkeypatch):
    features, counts = images(60)
    machine = CountSVM()
    machine.fit(features, counts.tolist())
    for name in ('sklearn', 'sklearn.svm', 'sklearn.model_selection'):
        monkeypatch.setitem(sys.modules, name, None)
    loaded = CountSVM()
    assert not loaded.is_fitted
    loaded.load_state_dict(machine.state_dict())
    assert loaded.is_fitted
    assert torch.equal(loaded(torch.from_numpy(features)), machine(torch.from_numpy(features)))
    with pytest.raises(ImportError):
        CountSVM().fit(features, counts.tolist())
    with pytest.raises(RuntimeError, match='size mismatch'):
        CountSVM(max_count=2).load_state_dict(machine.state_dict())


def test_counts_without_images_never_win():
    features, counts = images(100)
    seen = (counts == 1) | (counts == 3)
    machine = CountSVM()
    machine.fit(features[seen], counts[seen].tolist())
    found = machine(torch.from_numpy(features)).argmax(dim=1).unique().tolist()
    assert found == [1, 3]


def test_a_count_of_one_image_takes_the_candidate_nearest_to_one():
    features, counts = images(40)
    counts = np.minimum(counts, 1)
    counts[0] = 2
    figures = CountSVM(max_count=2).fit(features, counts.tolist())
    assert figures['svm_C'] == 1.0
    assert 'svm_cv_accuracy' not in figures


def test_what_cannot_be_learned_is_refused():
    features, counts = images(10)
    with pytest.raises(ValueError, match=r'two counts or more, all have \[2\]'):
        CountSVM().fit(features, [2] * 10)
    with pytest.raises(ValueError, match=r'expected \(N, D\) features and N counts'):
        CountSVM().fit(features[:3], counts.tolist())
    with pytest.raises(ValueError, match='max_count must be at least 1'):
        CountSVM(max_count=0)
    with pytest.raises(ValueError, match='regularisation'):
        CountSVM(regularisation=())


def test_blocks_have_unit_length_and_pool_as_they_say():
    output = torch.rand(4, 6, 5)
    for pooling, size in (('flatten', 120), ('mean', 4), ('grid', 4 * 9)):
        block = feature_block(output, pooling, grid=3)
        assert len(block) == size
        assert float(block.norm()) == pytest.approx(1, abs=1e-6)
    assert feature_block(torch.zeros(3, 2, 2)).tolist() == [0] * 12
    stacked = stack_blocks({'a': output, 'b': torch.ones(2)}, [dict(layer='b'), dict(layer='a', pooling='mean')])
    assert stacked.shape == (6,)
    assert stacked[:2] == pytest.approx([0.5**0.5] * 2)
    with pytest.raises(ValueError, match='pooling must be one of'):
        feature_block(output, 'max')
    with pytest.raises(ValueError, match=r'must give \(C, h, w\) or \(D,\)'):
        feature_block(torch.zeros(2, 2))
