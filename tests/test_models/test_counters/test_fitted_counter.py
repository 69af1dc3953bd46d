import copy

import numpy as np
import pytest
import torch

from mmcount.models.counters.count_and_point import peak_signature
from mmcount.models.counters.count_then_point import MIXTURE_FITS, fit_cells
from mmcount.models.layers import layer_taps
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample

CLASSIFIER = dict(
    type='mmcount.ImageClassifier',
    backbone=dict(type='mmcount.PlainConvNet', channels=(4, 8), kernel_size=3),
    head=dict(type='mmcount.ClassMapHead', num_classes=2, in_channels=8),
)
LAST, PREVIOUS = 'backbone.layers.1', 'backbone.layers.0'
BLOCKS = [dict(layer=LAST, pooling='grid', grid=4), dict(layer=PREVIOUS, pooling='mean')]
MAPS = {LAST: 3, PREVIOUS: 2}
CONFIGS = {
    'C2P': dict(
        type='mmcount.CountThenPoint',
        classifier=CLASSIFIER,
        blocks=BLOCKS,
        heat_layer=LAST,
        svm=dict(max_count=2, regularisation=(100.0,)),
    ),
    'P2C': dict(type='mmcount.PointThenCount', classifier=CLASSIFIER, maps=MAPS),
    'both': dict(
        type='mmcount.CountAndPoint',
        classifier=CLASSIFIER,
        blocks=BLOCKS,
        pointer=dict(maps=MAPS),
        svm=dict(max_count=2, regularisation=(100.0,)),
    ),
}


def build(name, **changes):
    torch.manual_seed(0)
    return MODELS.build({**copy.deepcopy(CONFIGS[name]), **changes})


def batch(seed=0, size=9, num_classes=1):
    """Black images with 0, 1 or 2 bright squares."""
    rng = np.random.default_rng(seed)
    images, samples = torch.zeros(size, 3, 32, 32), []
    for index in range(size):
        count = index % 3
        for corner in rng.permutation([(3, 3), (20, 3), (3, 20), (20, 20)])[:count]:
            x, y = corner
            images[index, :, y : y + 8, x : x + 8] = 3.0
        sample = CountDataSample(metainfo=dict(img_id=f'{seed}-{index}', img_shape=(32, 32), scale_factor=(0.5, 0.5)))
        sample.gt_counts = torch.zeros(num_classes)
        sample.gt_counts[index % num_classes] = count
        samples.append(sample)
    return images, samples


def fitted(name, **changes):
    counter = build(name, **changes)
    inputs, samples = batch(num_classes=changes.get('num_classes', 1))
    for stage in counter.passes:
        counter.fit(counter.observe(inputs, samples, stage), stage)
    return counter


@pytest.mark.parametrize('name', CONFIGS)
def test_predictions_obey_the_contract(name):
    counter = fitted(name)
    inputs, samples = batch(seed=1)
    for sample in counter(inputs, samples, mode='predict'):
        count = int(sample.pred_counts.sum())
        instances = sample.pred_instances
        assert len(instances) <= count
        assert float(sample.pred_density.data.sum()) == pytest.approx(count, abs=1e-4)
        assert sample.pred_density.extent == (-0.5, -0.5, 63.5, 63.5)
        assert instances.points.shape == (len(instances), 2)
        assert ((instances.bboxes >= 0) & (instances.bboxes <= 64)).all() or name == 'C2P'
        assert ('ellipses' in instances) == (name == 'C2P')
        assert (instances.scores[:-1] >= instances.scores[1:]).all()
        if name != 'P2C':
            assert int(sample.pred_count_scores.argmax()) == count
            assert sample.saturated == (count == 2)


@pytest.mark.parametrize('name', ['C2P', 'both'])
def test_counts_of_squares_are_learned(name):
    counter = fitted(name)
    inputs, samples = batch(seed=0)
    found = [int(one.pred_counts.sum()) for one in counter(inputs, samples, mode='predict')]
    assert found == [0, 1, 2] * 3


@pytest.mark.parametrize('name', CONFIGS)
def test_checkpoints_carry_what_was_fitted(name):
    counter, loaded = fitted(name), build(name)
    assert not loaded.is_fitted
    inputs, samples = batch(seed=2)
    with pytest.raises(ValueError, match='is not fitted'):
        loaded(inputs, samples, mode='predict')
    loaded.load_state_dict(counter.state_dict())
    assert loaded.is_fitted
    first = counter(inputs, batch(seed=2)[1], mode='predict')
    second = loaded(inputs, samples, mode='predict')
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.pred_counts, other.pred_counts)
        assert torch.equal(one.pred_instances.bboxes, other.pred_instances.bboxes)


def test_the_dictionary_ranks_a_planted_map_first():
    counter = build('P2C', maps={LAST: 1}, correct_only=False, num_classes=2)
    rng = np.random.default_rng(0)
    records = []
    for index in range(20):
        largest = rng.uniform(0, 1, 8).astype(np.float32)
        label = index % 2
        largest[5 if label else 2] += 2
        records.append(dict(largest=largest, label=label, predicted=0, num_labels=2, widths=[8]))
    counter.fit(records, 'fit')
    assert counter._chosen([8]).tolist() == [[2], [5]]
    counter.relative = True
    assert counter._chosen([8]).tolist() == [[2], [5]]


def test_the_dictionary_learns_from_images_that_are_classified_right():
    counter = build('P2C', maps={LAST: 1}, num_classes=2)
    right = dict(largest=np.eye(8, dtype=np.float32)[3], label=0, predicted=0, num_labels=2, widths=[8])
    wrong = dict(largest=9 * np.eye(8, dtype=np.float32)[6], label=0, predicted=1, num_labels=2, widths=[8])
    empty = dict(largest=9 * np.eye(8, dtype=np.float32)[1], label=-1, predicted=0, num_labels=2, widths=[8])
    assert counter.fit([right, wrong, empty], 'fit') == {'classes': 1.0, 'images': 1.0}
    # A class without images answers like the others.
    assert counter._chosen([8]).tolist() == [[3], [3]]
    with pytest.raises(ValueError, match='no image to make a dictionary from: 1 of 2 images hold an object and 0'):
        counter.fit([wrong, {**empty, 'predicted': 1}], 'fit')
    with pytest.raises(ValueError, match='has 8 maps, 9 were asked for'):
        build('P2C', maps={LAST: 9}, num_classes=2).fit([right], 'fit')


def test_an_image_without_answers_holds_nothing():
    counter = fitted('P2C')
    inputs, samples = batch(size=3)
    counter.typical_heat.fill_(1e6)
    found = counter(inputs, samples, mode='predict')
    assert [int(one.pred_counts.sum()) for one in found] == [0, 0, 0]
    assert all(float(one.pred_density.data.sum()) == 0 for one in found)


@pytest.mark.parametrize('stacking', ['sum', 'mean', 'max'])
def test_maps_of_two_layers_are_stacked_at_the_finer_size(stacking):
    counter = fitted('P2C', stacking=stacking)
    outputs = {LAST: torch.rand(8, 4, 4), PREVIOUS: torch.rand(4, 8, 8)}
    stacked = counter.stack(0, outputs)
    assert stacked.shape == (8, 8)
    chosen = counter._chosen([8, 4])[0]
    fine = outputs[PREVIOUS][chosen[3:] - 8].numpy()
    coarse = torch.nn.functional.interpolate(
        outputs[LAST][chosen[:3].copy()][None], size=(8, 8), mode='bilinear', align_corners=False
    )[0].numpy()
    every = np.concatenate([coarse, fine])
    expected = {'sum': every.sum(0), 'max': every.max(0), 'mean': coarse.mean(0) + fine.mean(0)}[stacking]
    assert stacked == pytest.approx(expected, abs=1e-5)


def test_a_loaded_dictionary_is_not_made_again():
    counter = fitted('both')
    before = counter.pointer.dictionary.clone()
    inputs, samples = batch(seed=5)
    assert counter.fit(counter.observe(inputs * 2, samples, 'dictionary'), 'dictionary') == {}
    assert torch.equal(counter.pointer.dictionary, before)
    assert counter.pointer.classifier is counter.classifier


def test_the_count_belongs_to_the_predicted_class():
    counter = fitted('P2C', num_classes=2, correct_only=False)
    inputs, samples = batch(seed=3, num_classes=2)
    scores = counter(inputs)
    for one, own in zip(counter(inputs, samples, mode='predict'), scores, strict=True):
        label = int(own.argmax())
        assert float(one.pred_counts[1 - label]) == 0
        assert (one.pred_instances.labels == label).all()
    with pytest.raises(ValueError, match='tells 2 classes apart and the data set has num_classes=3'):
        fitted('C2P').__class__.label_of(build('C2P', num_classes=3), scores[0])


@pytest.mark.parametrize('how', MIXTURE_FITS)
def test_every_way_to_fit_finds_two_blobs(how):
    cells = np.array([[x + 0.5, y + 0.5] for x in (1, 2, 8, 9) for y in (3, 4)])
    mixture = fit_cells(cells, np.array([1.0, 1, 1, 1, 2, 2, 2, 2]), 2, how)
    assert mixture.means[0] == pytest.approx([9.0, 4.0], abs=0.1)
    assert mixture.means[1] == pytest.approx([2.0, 4.0], abs=0.1)
    assert mixture.priors == pytest.approx([2 / 3, 1 / 3], abs=0.05)


def test_the_signature_tells_one_blob_from_two():
    one, two = np.zeros((8, 8)), np.zeros((8, 8))
    one[1:3, 1:3] = 1
    two[1:3, 1:3] = two[5:7, 5:7] = 1
    assert peak_signature(np.zeros((8, 8))).tolist() == [0.0] * 18
    first, second = peak_signature(one), peak_signature(two)
    assert first[9] < 0.2 < second[9]  # distance of the second peak
    assert np.isfinite(first).all()
    assert first[-1] == 1


def test_a_padded_batch_keeps_density_and_pointers_in_place():
    counter = fitted('P2C')
    inputs, samples = batch(seed=1, size=2)
    padded = torch.nn.functional.pad(inputs, (0, 16, 0, 32))
    for sample in samples:
        sample.set_metainfo(dict(batch_input_shape=(64, 48)))
    for sample in counter(padded, samples, mode='predict'):
        assert sample.pred_density.extent == (-0.5, -0.5, 95.5, 127.5)
        # A cell is one pixel of the input, which is half the size of the original image.
        assert sample.pred_density.data.shape == (1, 64, 48)
        assert not (sample.pred_instances.bboxes % 2).any()


def test_images_of_several_sizes_are_named_where_features_need_one_size():
    counter = build('C2P', blocks=[dict(layer=LAST)])
    inputs, samples = batch(size=2)
    records = counter.observe(inputs[:1], samples[:1], 'fit') + counter.observe(inputs[1:, :, :24], samples[1:], 'fit')
    for record, sample in zip(records, samples, strict=True):
        record['img_id'] = sample.img_id
    with pytest.raises(ValueError, match=r'features of images differ in length, .*0-0.* bring all images to one size'):
        counter.fit(records, 'fit')


def test_the_heat_of_c2p_is_what_its_options_say():
    inputs, _ = batch(seed=1, size=2)
    mild, strong = (fitted('C2P', mean_times=times) for times in ((0.0,), (2.0, 1.0, 0.0)))
    strong.svm.load_state_dict(mild.svm.state_dict())
    shares = []
    for counter in (mild, strong):
        sample = counter(inputs, batch(seed=1, size=2)[1], mode='predict')[1]
        shares.append(float((sample.pred_density.data > 0).float().mean()))
    assert shares[0] > shares[1] > 0
    with pytest.raises(ValueError, match='mean_times must be one or more'):
        build('C2P', mean_times=())


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"has no layer 'backbone\.layers\.9'; it has .*backbone\.layers\.1"):
        build('P2C', maps={'backbone.layers.9': 1})
    with pytest.raises(ValueError, match='stacking must be one of'):
        build('P2C', stacking='product')
    with pytest.raises(ValueError, match='mixture must be one of'):
        build('C2P', mixture='guess')
    inputs, samples = batch(size=1)
    with pytest.raises(ValueError, match="has no mode 'loss': use train_cfg"):
        fitted('C2P')(inputs, samples, mode='loss')
    del samples[0].gt_counts
    with pytest.raises(ValueError, match='image 0-0 needs gt_counts'):
        build('C2P').observe(inputs, samples, 'fit')


def test_taps_are_taken_off_again():
    network = MODELS.build(CLASSIFIER)
    with layer_taps(network, [LAST]) as outputs:
        network(torch.zeros(1, 3, 16, 16))
    assert outputs[LAST].shape == (1, 8, 8, 8)
    outputs.clear()
    network(torch.zeros(1, 3, 16, 16))
    assert outputs == {}


@pytest.mark.parametrize('name', CONFIGS)
def test_an_image_that_is_not_finite_is_named(name):
    counter = fitted(name)
    inputs, samples = batch(seed=4)
    inputs[5] = float('nan')
    with pytest.raises(ValueError, match=r'image 4-5: the output of backbone\.layers\.\d is not finite'):
        counter(inputs, samples, mode='predict')
    with pytest.raises(ValueError, match='image 4-5: the output of'):
        counter.observe(inputs, samples, counter.passes[0])
