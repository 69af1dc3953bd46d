_base_ = './clcnet-s1-cls10_tiny-resnet_cpu-15min_mnist-lego-shelf.py'

# The count as a number, one for each class.
model = dict(
    roi_head=dict(
        codec=dict(_delete_=True, type='mmcount.CountRegressionCodec', max_count=20),
        bbox_head=dict(loss_cnt=dict(_delete_=True, type='SmoothL1Loss', beta=1.0, loss_weight=0.5)),
    )
)
