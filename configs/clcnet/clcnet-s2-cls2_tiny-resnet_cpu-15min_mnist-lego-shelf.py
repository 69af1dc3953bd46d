_base_ = './clcnet-s2-cls10_tiny-resnet_cpu-15min_mnist-lego-shelf.py'

model = dict(roi_head=dict(codec=dict(base=2)))
