_base_ = './clcnet-s2-cls10_tiny-resnet_cpu-15min_mnist-lego-shelf.py'

# The count as a number. AP_lc 0.619 on 300 test scenes (seed 0).
model = dict(
    roi_head=dict(
        codec=dict(_delete_=True, type='mmcount.CountRegressionCodec', max_count=20),
        bbox_head=[
            dict(head, loss_cnt=dict(type='SmoothL1Loss', beta=1.0, loss_weight=0.5))
            for head in _base_.model.roi_head.bbox_head
        ],
    )
)
