_base_ = [
    '../_base_/detector_runtime.py',
    '../_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/datasets/locount.py',
    '../_base_/schedules/sgd_12e.py',
]

# As published: the checkpoint of the last epoch, there being no validation images; 0.02 for 8 images a step. Another
# batch needs auto_scale_lr.enable=True; should 0.02 diverge, base_batch_size=16 is the rule of mmdet's own schedules.
train_cfg = dict(val_interval=12)
default_hooks = dict(checkpoint=dict(save_best=None))
auto_scale_lr = dict(enable=False, base_batch_size=8)
