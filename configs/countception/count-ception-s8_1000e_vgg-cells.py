_base_ = './count-ception_1000e_vgg-cells.py'

codec = dict(type='mmcount.RedundantCountCodec', window_size=32, stride=8, num_classes=1)

model = dict(backbone=dict(stride=8), head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
