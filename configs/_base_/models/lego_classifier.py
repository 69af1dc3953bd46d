# Four layers of 5 x 5, a network in network and global average pooling: 85.4 % on 100 classes in the paper.
data_preprocessor = dict(
    type='mmcount.CountDataPreprocessor', mean=[40] * 3, std=[60] * 3, bgr_to_rgb=True, channels_last=True
)
classifier = dict(
    type='mmcount.ImageClassifier',
    backbone=dict(type='mmcount.PlainConvNet', channels=(32, 64, 128, 256), kernel_size=5),
    head=dict(type='mmcount.ClassMapHead', num_classes=100, in_channels=256, hidden_channels=256),
)
