# Faster R-CNN with the parts of the small Cascade R-CNN.
_base_ = './cascade-rcnn-s2_tiny-resnet.py'

model = dict(
    type='FasterRCNN',
    roi_head=dict(
        _delete_=True,
        type='mmdet.StandardRoIHead',
        bbox_roi_extractor=_base_.model.roi_head.bbox_roi_extractor,
        bbox_head=dict(_base_.model.roi_head.bbox_head[0], reg_class_agnostic=False),
    ),
    train_cfg=dict(rcnn=dict(_base_.model.train_cfg.rcnn[0], _delete_=True)),
)
