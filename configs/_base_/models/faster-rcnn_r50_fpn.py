# Faster R-CNN on 140 classes, with the smooth L1 losses of Cascade R-CNN.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

model = dict(
    rpn_head=dict(loss_bbox=dict(_delete_=True, type='mmdet.SmoothL1Loss', beta=1.0 / 9.0, loss_weight=1.0)),
    roi_head=dict(
        bbox_head=dict(
            num_classes=140,
            loss_bbox=dict(_delete_=True, type='mmdet.SmoothL1Loss', beta=1.0, loss_weight=1.0),
        )
    ),
    test_cfg=dict(rpn=dict(max_per_img=512), rcnn=dict(max_per_img=150)),
)
