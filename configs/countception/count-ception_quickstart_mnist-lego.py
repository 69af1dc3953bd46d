"""Count-ception on scenes of digits: the first run.

Command:  bash tools/quickstart.sh
Data:     MNIST-LEGO
Hardware: 2 cores of an Intel Xeon
Time:     2 min 25 s, testing included
Figures:  MAE 0.567, calibrated MAE 0.551, F1 at 7 px 0.983 (100 test scenes, seed 0; README.md of the project)
"""

_base_ = [
    '../_base_/models/count-ception_fast.py',
    '../_base_/datasets/mnist_lego.py',
    '../_base_/schedules/bf16_cpu.py',
]

max_iters = 450
model = dict(
    backbone=dict(window_size=_base_.codec.window_size, stride=_base_.codec.stride), head=dict(codec=_base_.codec)
)
train_cfg = dict(max_iters=max_iters, val_interval=max(1, max_iters // 3))
default_hooks = dict(checkpoint=dict(interval=max(1, max_iters // 3)))

# Half of a digit of 14 px: a point within it lies on its digit.
points = dict(type='mmcount.LocalizationMetric', sigmas=(7,))
val_evaluator = [*_base_.val_evaluator, points]
test_evaluator = [*_base_.test_evaluator, points]
