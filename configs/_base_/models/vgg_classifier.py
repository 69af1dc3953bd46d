# VGG with the weights that torchvision publishes for ImageNet.
data_preprocessor = dict(
    type='mmcount.CountDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
)
vgg16 = dict(
    type='mmcount.ImageClassifier',
    backbone=dict(
        type='mmcount.VGG',
        depth=16,
        num_classes=1000,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16'),
    ),
)
vgg19 = dict(
    type='mmcount.ImageClassifier',
    backbone=dict(
        type='mmcount.VGG',
        depth=19,
        num_classes=1000,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg19'),
    ),
)
