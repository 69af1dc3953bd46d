import cv2
import numpy as np
import pytest
import torch

from mmcount.apis import CountInferencer
from mmcount.apis.fit import fit_counts, leave_one_out_error, read_counts, save_fitted
from mmcount.utils.errors import AnnotationError
from mmcount.zoo import ModelCard, read_model, write_model
from tests.tiny_models import TRAINING, save_model


def counter_of(files):
    return CountInferencer(*files, device='cpu', show_progress=False)


@pytest.fixture
def scene(tmp_path):
    """Images beside a table that says how many objects they hold."""
    rng = np.random.default_rng(3)
    for index in range(4):
        cv2.imwrite(str(tmp_path / f'{index}.png'), rng.integers(0, 256, (24, 24 + 8 * index, 3), dtype=np.uint8))
    return tmp_path


def labels_for(counter, folder):
    """A table in which the truth is a rounded line of what the counter gives."""
    results = counter([folder / f'{index}.png' for index in range(4)])
    least = min(one.count_float for one in results)
    rows = [f'{one.image},{round(50 * (one.count_float - least)) + 4}' for one in results]
    (folder / 'labels.csv').write_text('image,count\n' + '\n'.join(rows) + '\n')
    return folder / 'labels.csv', [one.count_float for one in results]


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_a_fitted_line_is_saved_as_a_model_of_ones_own(counter_files, scene, tmp_path, suffix):
    counter = counter_of(counter_files)
    labels, raw = labels_for(counter, scene)
    fit = fit_counts(counter, labels)
    scale, offset = fit.lines['cell']
    image = scene / '2.png'
    result = counter(image)[0]
    assert result.count_float == pytest.approx(raw[2], rel=1e-5)
    assert result.calibrated_counts['cell'] == pytest.approx(scale * raw[2] + offset, rel=1e-4)
    assert result.interval is None
    assert fit.images == 4
    assert fit.error_before > 3
    before = counter.weights_sha256
    path = tmp_path / f'mine{suffix}'
    save_fitted(counter, path, fit)
    assert (counter.model_name, counter.weights_sha256 == before) == ('mine', False)
    own = CountInferencer(path, device='cpu', show_progress=False)
    assert (own.model_name, own.weights_sha256, own.classes) == ('mine', counter.weights_sha256, ('cell',))
    again = own(image, calibrated=True)[0]
    # Half precision moves the weights of the model file a little.
    assert again.count_float == pytest.approx(result.calibrated_counts['cell'], rel=1e-5 if suffix == '.pth' else 0.02)
    if suffix == '.safetensors':
        card = read_model(path).card
        assert 'line fitted on 4 labelled images' in card.summary
        assert card.figures[0].value == pytest.approx(fit.error_after, abs=1e-3)


def test_a_model_file_says_how_large_its_objects_are(counter_files, tmp_path):
    counter = counter_of(counter_files)
    state, cfg = counter.source.checkpoint['state_dict'], counter.source.cfg
    path = tmp_path / 'own.safetensors'
    card = ModelCard('own', 'Cells', ('cell',), object_size=(8, 18))
    pipeline = cfg.test_dataloader.dataset.pipeline
    write_model(path, dict(model=cfg.model, test_pipeline=pipeline, default_scope='mmcount'), state, card)
    own = CountInferencer(path, device='cpu', show_progress=False)
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    assert own(image, object_size=10)[0].scale == 1
    assert own(image, object_size=24)[0].scale == 0.5
    write_model(path, dict(model=dict(type='os.system', command='exit 1')), state, card)
    with pytest.raises(ValueError, match='asks for the type'):
        CountInferencer(path, device='cpu')


def test_labels_are_counts_or_points_of_one_class_or_several(tmp_path):
    path = tmp_path / 'labels.csv'

    def read(text, classes=('cell',)):
        path.write_text(text)
        return {name: counts.tolist() for name, counts in read_counts(path, classes).items()}

    assert read('image,count\na.png,3\nb.png,0\n') == {'a.png': [3], 'b.png': [0]}
    assert read('image;x;y\na.png;1;2\na.png;3;4\n') == {'a.png': [2]}
    assert read('image,class,count\na.png,nucleus,3\n') == {'a.png': [3]}
    two = ('cat', 'dog')
    assert read('image,cat,dog\na.png,1,2\n', two) == {'a.png': [1, 2]}
    assert read('image,class,count\na.png,dog,2\n', two) == {'a.png': [0, 2]}
    assert read('image,x,y,class\na.png,1,2,dog\n', two) == {'a.png': [0, 1]}
    for text, classes, message in (
        ('image,count\na.png,3\n', two, 'line 1: expected a class column'),
        ('image,class,count\na.png,dgo,3\n', two, "line 2: class 'dgo' is none of the model; did you mean 'dog'"),
        ('image,class,count\na.png,x,3\na.png,y,3\n', ('cell',), 'expected one class, as the model has, found x, y'),
    ):
        with pytest.raises(AnnotationError, match=message):
            read(text, classes)


def test_an_image_that_is_said_to_be_empty_is_a_label_of_zero(tmp_path):
    labels = tmp_path / 'points.csv'
    labels.write_text('sep=;\nimage;x;y\na.png;1;2\nb.png;;\n')
    assert {name: counts.tolist() for name, counts in read_counts(labels, ('cell',)).items()} == {
        'a.png': [1],
        'b.png': [0],
    }


def test_too_few_or_missing_images_are_refused(counter_files, detector_files, scene):
    counter = counter_of(counter_files)
    labels = scene / 'labels.csv'
    with pytest.raises(FileNotFoundError, match='table of labels'):
        fit_counts(counter, labels)
    labels.write_text('image,count\n0.png,1\n1.png,2\n')
    with pytest.raises(ValueError, match='at least 3 labelled images, found 2'):
        fit_counts(counter, labels)
    labels.write_text('image,count\n0.png,1\n1.png,2\ngone.png,2\n')
    with pytest.raises(FileNotFoundError, match=r"image 'gone\.png' is in none of"):
        fit_counts(counter, labels)
    with pytest.raises(ValueError, match=r'RetinaNet\) has no line'):
        fit_counts(counter_of(detector_files), labels)


def test_an_image_that_is_left_out_is_judged_by_the_others():
    predicted = np.array([[1.0], [2.0], [3.0], [4.0]])
    assert leave_one_out_error(predicted, 2 * predicted + 1) == pytest.approx(0, abs=1e-9)
    spoilt = 2 * predicted + 1
    spoilt[3] += 10
    assert leave_one_out_error(predicted, spoilt) > 2.5


def test_a_model_is_trained_on_half_of_the_labels_and_judged_by_the_other(scene, tmp_path):
    folder = tmp_path / 'model'
    folder.mkdir()
    text = TRAINING.replace("dict(type='mmdet.LoadImageFromNDArray')", "dict(type='mmcount.LoadImage')")
    counter = counter_of(save_model(folder, 'tiny', text, dict(dataset_meta=dict(classes=('cell',)))))
    for index in range(4, 6):
        (scene / f'{index}.png').write_bytes((scene / f'{index - 4}.png').read_bytes())
    labels = scene / 'points.csv'
    rows = [f'{index}.png,{8 + 3 * dot},12' for index in range(6) for dot in range(index + 1)]
    labels.write_text('image,x,y\n' + '\n'.join(rows) + '\n')
    before = counter(scene / '1.png')[0].count_float
    weights = counter.source.checkpoint['state_dict']['head.conv.conv.weight'].clone()
    fit = fit_counts(counter, labels, fine_tuning_steps=2)
    assert fit.images == 3
    assert counter(scene / '1.png')[0].count_float != pytest.approx(before, rel=1e-6)
    assert not torch.equal(counter.source.checkpoint['state_dict']['head.conv.conv.weight'], weights)
    save_fitted(counter, tmp_path / 'tuned.pth', fit)
    own = CountInferencer(tmp_path / 'tuned.pth', device='cpu', show_progress=False)
    expected = counter(scene / '1.png')[0]
    assert own(scene / '1.png')[0].calibrated_counts == pytest.approx(expected.calibrated_counts, rel=1e-4)
    (scene / 'counts.csv').write_text('image,count\n' + ''.join(f'{index}.png,3\n' for index in range(6)))
    with pytest.raises(ValueError, match='training needs points'):
        fit_counts(counter, scene / 'counts.csv', fine_tuning_steps=2)
    labels.write_text('image,x,y\n0.png,1,2\n1.png,1,2\n2.png,1,2\n')
    with pytest.raises(ValueError, match='at least 6 labelled images, found 3'):
        fit_counts(counter, labels, fine_tuning_steps=2)
