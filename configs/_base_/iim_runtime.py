_base_ = './default_runtime.py'

# The checkpoint of the best F1 on validation images is the result.
default_hooks = dict(checkpoint=dict(interval=4, save_best='loc/F1_l', rule='greater'))
custom_hooks = [dict(type='mmcount.RandomStateHook')]
env_cfg = dict(cudnn_benchmark=True)
randomness = dict(seed=3035)
