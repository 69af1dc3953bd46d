_base_ = [
    '../_base_/detector_runtime.py',
    '../_base_/models/fcos_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_shelf.py',
    '../_base_/schedules/adamw_cpu.py',
]

# The plain detector: each box counts 1.
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=_base_.max_iters // 3))
log_processor = dict(by_epoch=False)
