_base_ = [
    '../_base_/detector_runtime.py',
    '../_base_/models/cascade-rcnn-s2_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_shelf.py',
    '../_base_/schedules/adamw_cpu.py',
]

# Every box counts 1: AP_lc 0.123 on 300 test scenes (seed 0), AP 0.849.
train_dataloader = dict(batch_size=4)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=_base_.max_iters // 2))
log_processor = dict(by_epoch=False)
