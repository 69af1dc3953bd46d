# Cascade R-CNN of six stages: overlaps of 0.5 to 0.75. Standard deviations and weights are those of the released code;
# the paper does not say them.
_base_ = './cascade-rcnn-s3_r50_fpn.py'

model = dict(
    roi_head=dict(
        num_stages=6,
        stage_loss_weights=[1, 0.833, 0.667, 0.5, 0.333, 0.167],
        bbox_head=[
            dict(
                _base_.model.roi_head.bbox_head[0],
                bbox_coder=dict(_base_.model.roi_head.bbox_head[0].bbox_coder, target_stds=[xy, xy, wh, wh]),
            )
            for xy, wh in ((0.1, 0.2), (0.083, 0.167), (0.067, 0.133), (0.05, 0.1), (0.033, 0.067), (0.017, 0.033))
        ],
    ),
    train_cfg=dict(
        rcnn=[
            dict(
                _base_.model.train_cfg.rcnn[0],
                assigner=dict(
                    _base_.model.train_cfg.rcnn[0].assigner, pos_iou_thr=iou, neg_iou_thr=iou, min_pos_iou=iou
                ),
            )
            for iou in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75)
        ]
    ),
)
