import pytest
import torch

from mmcount.models.classifiers import image_labels
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample

CONFIG = dict(
    type='mmcount.ImageClassifier',
    backbone=dict(type='mmcount.PlainConvNet', channels=(4, 8), kernel_size=3),
    head=dict(type='mmcount.ClassMapHead', num_classes=3, in_channels=8, hidden_channels=5),
)


def samples(*rows):
    found = []
    for index, row in enumerate(rows):
        sample = CountDataSample(metainfo=dict(img_id=str(index)))
        sample.gt_counts = torch.tensor(row, dtype=torch.float32)
        found.append(sample)
    return found


def test_the_class_of_an_image_is_that_of_its_objects():
    assert image_labels(samples([0, 2, 0], [0, 0, 0], [0, 0, 1])).tolist() == [1, -1, 2]
    with pytest.raises(ValueError, match=r'image 0 holds objects of the classes \[0, 2\], expected one class'):
        image_labels(samples([1, 0, 1]))
    with pytest.raises(ValueError, match='image x needs gt_counts'):
        image_labels([CountDataSample(metainfo=dict(img_id='x'))])


def test_the_loss_is_cross_entropy_over_images_with_objects():
    model = MODELS.build(CONFIG)
    inputs = torch.rand(3, 3, 16, 16)
    losses = model(inputs, samples([0, 2, 0], [0, 0, 0], [0, 0, 1]), mode='loss')
    scores = model(inputs)
    expected = torch.nn.functional.cross_entropy(scores[[0, 2]], torch.tensor([1, 2]))
    assert float(losses['loss_cls']) == pytest.approx(float(expected), abs=1e-6)
    losses['loss_cls'].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    empty = model(inputs[:1], samples([0, 0, 0]), mode='loss')
    assert float(empty['loss_cls']) == 0


def test_predictions_are_probabilities():
    model = MODELS.build(CONFIG).eval()
    for sample in model(torch.rand(2, 3, 16, 16), samples([1, 0, 0], [0, 1, 0]), mode='predict'):
        assert float(sample.pred_scores.sum()) == pytest.approx(1, abs=1e-5)
        assert sample.pred_label == int(sample.pred_scores.argmax())


def test_the_mean_of_class_maps_is_a_linear_layer_on_the_mean():
    head = MODELS.build(dict(type='mmcount.ClassMapHead', num_classes=3, in_channels=8))
    feats = torch.rand(2, 8, 5, 4)
    weight, bias = head.class_maps.weight[:, :, 0, 0], head.class_maps.bias
    assert torch.allclose(head((feats,)), feats.mean(dim=(2, 3)) @ weight.T + bias, atol=1e-6)


def test_vgg_scores_images_with_torchvisions_names():
    model = MODELS.build(
        dict(type='mmcount.ImageClassifier', backbone=dict(type='mmcount.VGG', depth=11, num_classes=7))
    )
    assert {'backbone.features.0.weight', 'backbone.classifier.6.bias'} <= set(model.state_dict())
    with torch.no_grad():
        assert model.eval()(torch.zeros(1, 3, 224, 224)).shape == (1, 7)


def test_modes_are_checked():
    model = MODELS.build(CONFIG)
    with pytest.raises(ValueError, match="mode must be 'loss', 'predict' or 'tensor'"):
        model(torch.zeros(1, 3, 8, 8), mode='train')
    with pytest.raises(ValueError, match="mode 'predict' needs data_samples"):
        model(torch.zeros(1, 3, 8, 8), mode='predict')
