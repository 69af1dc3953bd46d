"""From nothing to counts: train a small classifier on LEGO scenes, fit P2C and the others to it, test."""

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmcount.utils import register_all_modules

CLASSES = 4
SCENE = dict(layout='triple', classes=(0, 20, 40, 60), part_size=8, scale_range=(0.9, 1.1), orient_range=(-10, 10))
ALONE = dict(**SCENE, canvas=(32, 32), num_objects=1, center_jitter=3, background='black')
SCENES = dict(**SCENE, canvas=(64, 64), num_objects=(0, 4), merge_classes=True, background='black')
CLASSIFIER = dict(
    type='mmcount.ImageClassifier',
    backbone=dict(type='mmcount.PlainConvNet', channels=(8, 16, 32), kernel_size=5),
    head=dict(type='mmcount.ClassMapHead', num_classes=CLASSES, in_channels=32),
)
PREPROCESSOR = dict(type='mmcount.CountDataPreprocessor', mean=[20] * 3, std=[60] * 3)
LAST, PREVIOUS = 'backbone.layers.2', 'backbone.layers.1'
BLOCKS = [
    dict(layer=LAST, pooling='grid', grid=4),
    dict(layer=LAST, pooling='mean'),
    dict(layer=PREVIOUS, pooling='mean'),
]
POINTER = dict(
    maps={LAST: 8, PREVIOUS: 5},
    clusterer=dict(type='mmcount.DensityPeakClusterer', min_distance=4.0),
)
COUNTERS = {
    'P2C': dict(type='mmcount.PointThenCount', **POINTER),
    'C2P': dict(type='mmcount.CountThenPoint', blocks=BLOCKS, heat_layer=LAST, svm=dict(regularisation=(10.0,))),
    'both': dict(type='mmcount.CountAndPoint', blocks=BLOCKS, pointer=POINTER, svm=dict(regularisation=(10.0,))),
}


def loader(subset, number, scene, batch_size=20, shuffle=False):
    pipeline = [
        dict(type='mmcount.LoadImage'),
        dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
        dict(type='mmcount.PackCountInputs', image_counts='annotations'),
    ]
    dataset = dict(
        type='mmcount.MNISTLego', subset=subset, num_samples=number, scene=scene, pipeline=pipeline, keep_scenes=True
    )
    sampler = dict(type='InfiniteSampler' if shuffle else 'DefaultSampler', shuffle=shuffle)
    return dict(batch_size=batch_size, num_workers=0, sampler=sampler, dataset=dataset)


def runner(folder, model, train, test, metrics, **training):
    register_all_modules()
    common = dict(
        default_scope='mmcount',
        work_dir=str(folder),
        experiment_name=folder.name,
        model=dict(data_preprocessor=PREPROCESSOR, **model),
        train_dataloader=train,
        test_dataloader=test,
        test_evaluator=metrics,
        test_cfg=dict(type='TestLoop'),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1000)),
        randomness=dict(seed=0),
    )
    return Runner.from_cfg(Config({**common, **training}))


@pytest.mark.slow
def test_a_trained_classifier_lets_every_counter_count_and_point(tmp_path):
    classifier = runner(
        tmp_path / 'classifier',
        CLASSIFIER,
        loader('train', 400, ALONE, shuffle=True),
        loader('test', 100, ALONE),
        dict(type='mmcount.ClassAccuracy', topk=(1,)),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=100, val_interval=1000),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=3e-3)),
    )
    classifier.train()
    assert classifier.test()['class/top1'] > 0.8
    weights = tmp_path / 'classifier.pth'
    torch.save(dict(state_dict=classifier.model.state_dict()), weights)

    metrics = [dict(type='mmcount.SubitizingMetric'), dict(type='mmcount.PointingMetric')]
    found = {}
    for name, model in COUNTERS.items():
        init = dict(type='Pretrained', checkpoint=str(weights))
        counter = runner(
            tmp_path / name,
            dict(classifier=dict(**CLASSIFIER, init_cfg=init), **model),
            loader('train', 200, SCENES),
            loader('test', 100, SCENES),
            metrics,
            train_cfg=dict(type='mmcount.FitLoop'),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        )
        counter.train()
        found[name] = counter.test()
    chance = 1 / 5
    for name, row in found.items():
        assert row['subitizing/accuracy_1'] > 2 * chance, name
        assert row['subitizing/accuracy'] > 1.5 * chance, name
        assert row['pointing/accuracy@0.5'] > 0.3, name
