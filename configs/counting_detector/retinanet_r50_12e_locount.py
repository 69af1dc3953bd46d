_base_ = [
    '../_base_/detector_runtime.py',
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/locount.py',
    '../_base_/schedules/sgd_12e.py',
]

# The plain detector: each box counts 1.
model = dict(bbox_head=dict(num_classes=140), test_cfg=dict(max_per_img=150))
optim_wrapper = dict(optimizer=dict(lr=0.01))
