# Cascade R-CNN of two stages: overlaps of 0.5 and 0.7.
_base_ = './cascade-rcnn-s3_r50_fpn.py'

model = dict(
    roi_head=dict(
        num_stages=2,
        stage_loss_weights=[1, 0.5],
        bbox_head=[_base_.model.roi_head.bbox_head[stage] for stage in (0, 2)],
    ),
    train_cfg=dict(rcnn=[_base_.model.train_cfg.rcnn[stage] for stage in (0, 2)]),
)
