# Detectors whose boxes may say counts: the best checkpoint by AP of boxes and counts, no counter to calibrate.
_base_ = './default_runtime.py'

default_hooks = dict(checkpoint=dict(save_best='locount/AP_lc', rule='greater'))
custom_hooks = [dict(type='mmcount.RandomStateHook')]
