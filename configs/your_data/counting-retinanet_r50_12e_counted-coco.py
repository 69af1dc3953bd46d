"""RetinaNet with counts on your own images with boxes, with or without counts.

Any detector of MMDetection can stand in its place. A box without a count holds one object. The learning rate is for
batches of 2.

Command:  python tools/train.py configs/your_data/counting-retinanet_r50_12e_counted-coco.py \\
              --cfg-options data_root=my_data ann_file=annotations.json classes=live,dead
Data:     Own images
Hardware: made for GPUs
Time:     not measured
Figures:  none, they depend on your images
"""

_base_ = [
    '../_base_/models/counting_detector.py',
    '../_base_/datasets/counted_coco.py',
    '../_base_/schedules/sgd_12e.py',
]

model = dict(
    detector=dict(_base_='mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', test_cfg=dict(max_per_img=150)),
    count_head=dict(codec=dict(max_count=99)),
    num_classes=len(_base_.classes),
)
optim_wrapper = dict(optimizer=dict(lr=0.0025))
