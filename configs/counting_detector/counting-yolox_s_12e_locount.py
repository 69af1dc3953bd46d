"""YOLOX with counts on Locount.

Command:  python tools/train.py configs/counting_detector/counting-yolox_s_12e_locount.py
Data:     Locount
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/counting_detector.py',
    '../_base_/datasets/locount.py',
    '../_base_/schedules/sgd_12e.py',
]

# Batches keep their size: the random square sizes of YOLOX would distort images of 16:9.
model = dict(
    detector=dict(
        _base_='mmdet::yolox/yolox_s_8xb8-300e_coco.py',
        data_preprocessor=dict(batch_augments=None),
        test_cfg=dict(nms=dict(max_num=150)),
    ),
    roi_extractor=dict(featmap_strides=[8, 16, 32], out_channels=128),
)
optim_wrapper = dict(
    optimizer=dict(lr=0.01, nesterov=True, weight_decay=0.0005),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
