_base_ = [
    '../_base_/detector_runtime.py',
    '../_base_/models/counting_detector.py',
    '../_base_/datasets/locount.py',
    '../_base_/schedules/sgd_12e.py',
]

optim_wrapper = dict(optimizer=dict(lr=0.01))
