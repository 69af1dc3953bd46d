# Cascade R-CNN on 140 classes. A shelf has more boxes than the 100 of an image that mmdet keeps.
_base_ = 'mmdet::_base_/models/cascade-rcnn_r50_fpn.py'

model = dict(
    roi_head=dict(bbox_head=[dict(head, num_classes=140) for head in _base_.model.roi_head.bbox_head]),
    test_cfg=dict(rpn=dict(max_per_img=512), rcnn=dict(max_per_img=150)),
)
