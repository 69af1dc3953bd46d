# Any detector of mmdet with counts: a leaf names the detector, the strides of its feature levels, and what differs. The
# coarse digit is a second, auxiliary output of the count head.
model = dict(
    type='mmcount.CountingDetector',
    num_classes=140,
    backbone=dict(),  # tools of mmdet look for it here
    roi_extractor=dict(featmap_strides=[8, 16, 32, 64]),
    count_head=dict(codec=dict(type='mmcount.DigitCodec', max_count=56, base=10, num_stages=2)),
)
