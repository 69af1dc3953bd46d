"""How CountingDetector trains: its losses, its boxes, and a frozen detector."""

import copy

import pytest
import torch

HEAD = dict(codec=dict(type='mmcount.DigitCodec', max_count=20, base=10), fc_out_channels=16)


def test_losses_are_those_of_the_plain_detector_plus_its_own(build, plain, total_loss):
    torch.manual_seed(3)
    expected = total_loss(plain().train())[1]
    found = total_loss(build().train())[1]
    assert set(found) - set(expected) == {'counts.loss', 'counts.error'}
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value)


def test_gradients_of_counts_reach_the_backbone_unless_detached(build, total_loss):
    weight = {}
    for detach in (False, True):
        model = build(detach_feats=detach).train()
        losses = total_loss(model)[1]
        losses['counts.loss'].backward()
        weight[detach] = model.backbone.conv1.weight.grad
        assert all(one.grad is not None for one in model.count_head.parameters())
    assert bool((weight[False] != 0).any())
    assert weight[True] is None


def test_a_frozen_detector_loads_a_plain_checkpoint_and_stays(build, plain, total_loss, retinanet, tmp_path):
    detector = plain(seed=5)
    path = str(tmp_path / 'plain.pth')
    torch.save(dict(state_dict=detector.state_dict()), path)
    model = build(
        detector=retinanet(init_cfg=dict(type='Pretrained', checkpoint=path)),
        freeze_detector=True,
        count_train_cfg=dict(source='both'),
    )
    before = {key: value.clone() for key, value in detector.state_dict().items()}
    assert all(torch.equal(value, before[key]) for key, value in model.detector.state_dict().items())
    model.train()
    assert model.training
    assert model.count_head.training
    assert not any(part.training for part in model.detector.modules())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    loss, losses = total_loss(model)
    assert set(losses) == {'counts.loss', 'counts.error'}
    loss.backward()
    optimizer.step()
    assert all(one.grad is None for one in model.detector.parameters())
    assert all(one.grad is not None for one in model.count_head.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.detector.state_dict().items())


def test_a_frozen_detector_learns_to_count(build, batch, total_loss):
    model = build(freeze_detector=True, count_head=dict(HEAD, loss=dict(type='mmdet.CrossEntropyLoss')))
    model.count_train_cfg['copies'] = 0
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=0.01)
    data = batch((4, 2))
    errors = []
    for _ in range(60):
        loss, losses = total_loss(model.train(), copy.deepcopy(data))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(float(losses['counts.error']))
    assert errors[0] > 2
    assert errors[-1] == 0


def test_modes_and_methods_are_restored_even_after_an_error(build, total_loss):
    model = build(count_train_cfg=dict(source='pred')).train()
    model.detector.neck.eval()
    modes = [part.training for part in model.modules()]
    total_loss(model)
    assert [part.training for part in model.modules()] == modes
    model.detector.bbox_head.predict = None
    with pytest.raises(TypeError):
        total_loss(model)
    assert [part.training for part in model.modules()] == modes
    assert 'extract_feat' not in vars(model.detector)


def test_predicted_training_boxes_leave_the_samples_alone(build, batch):
    model = build(count_train_cfg=dict(source='pred')).train()
    data = model.data_preprocessor(batch(), True)
    model(**data, mode='loss')
    assert all('pred_instances' not in sample for sample in data['data_samples'])


def test_training_boxes_take_the_count_of_their_ground_truth(build, batch):
    model = build(count_train_cfg=dict(source='both', copies=6))
    sample = batch((3,))['data_samples'][0]
    truth = sample.gt_instances
    truth.bboxes = torch.tensor([[0.0, 0, 20, 20], [30, 0, 60, 30], [0, 40, 40, 60]])
    truth.counts = torch.tensor([2, 9, 20])
    detected = torch.tensor([[31.0, 0, 60, 28], [30, 30, 36, 36], [float('nan')] * 4])
    boxes, counts, weights = model.training_boxes(sample, detected)
    assert weights.tolist() == [1.0] * len(boxes)
    nearest = model.count_assigner.iou_calculator(boxes, truth.bboxes)
    assert bool((nearest.max(dim=1).values >= 0.5).all())
    assert torch.equal(counts, truth.counts[nearest.argmax(dim=1)])
    assert {tuple(box) for box in truth.bboxes.tolist()} <= {tuple(box) for box in boxes.tolist()}
    assert (31.0, 0.0, 60.0, 28.0) in {tuple(box) for box in boxes.tolist()}
    assert len(boxes) > 12


@pytest.mark.parametrize('source', ['gt', 'pred', 'both'])
def test_images_without_objects_train_with_zero_loss_of_counts(build, batch, total_loss, source):
    model = build(count_train_cfg=dict(source=source)).train()
    loss, losses = total_loss(model, batch((0, 0)))
    loss.backward()
    assert float(losses['counts.loss'].detach()) == 0
    assert all(one.grad is not None for one in model.parameters())


def test_mixed_precision_trains(build, total_loss):
    model = build(count_train_cfg=dict(source='both')).train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss, losses = total_loss(model)
    loss.backward()
    assert losses['counts.loss'].dtype == torch.float32
    assert bool(torch.isfinite(loss))


def test_ground_truth_without_the_attribute_is_refused_by_image(build, batch, total_loss):
    data = batch()
    del data['data_samples'][0].gt_instances.counts
    with pytest.raises(ValueError, match=r"image image-0: gt_instances need 'counts', found .*'bboxes', 'labels'"):
        total_loss(build().train(), data)


def test_groups_of_weight_zero_teach_nothing(build, batch, total_loss):
    """The loss is that without the group, whatever count the group is said to have."""
    losses = []
    for weights, count in ([1.0, 0.0], 20), ([1.0, 0.0], 1), ([1.0, 1.0], 20):
        model = build(count_train_cfg=dict(copies=0)).train()
        data = batch((2,), count_weights=lambda _, weights=weights: torch.tensor(weights))
        data['data_samples'][0].gt_instances.counts = torch.tensor([4, count])
        losses.append(total_loss(model, data)[1])
    assert torch.equal(losses[0]['counts.loss'], losses[1]['counts.loss'])
    assert torch.equal(losses[0]['counts.error'], losses[1]['counts.error'])
    assert not torch.equal(losses[0]['counts.loss'], losses[2]['counts.loss'])
    alone = batch((2,))
    alone['data_samples'][0].gt_instances = alone['data_samples'][0].gt_instances[:1]
    alone['data_samples'][0].gt_instances.counts = torch.tensor([4])
    expected = total_loss(build(count_train_cfg=dict(copies=0)).train(), alone)[1]
    torch.testing.assert_close(losses[0]['counts.loss'], expected['counts.loss'])
