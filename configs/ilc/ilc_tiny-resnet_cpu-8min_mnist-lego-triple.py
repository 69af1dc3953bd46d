_base_ = './ilc_tiny-resnet_cpu-8min_mnist-lego.py'

# Objects of three digits: a proposal that holds one digit holds a third of an object, which is what the density penalty
# of instance segmentation is about.
scene = dict(layout='triple', classes=(0, 11, 22, 33, 44, 55, 66, 77, 88, 99), part_size=12, scale_range=(0.8, 1.2))
train_dataloader = dict(dataset=dict(dataset=dict(scene=scene)))
val_dataloader = dict(dataset=dict(scene=scene))
test_dataloader = dict(dataset=dict(scene=scene))
test_evaluator = [
    dict(type='mmcount.CountMetric', classwise=False),
    dict(type='mmcount.ClassRMSEMetric'),
    dict(type='mmcount.GameMetric', images='positive'),
    dict(type='mmcount.GameMetric', prefix='all'),
]
