_base_ = './counting-faster-rcnn_r50_12e_locount.py'

model = dict(
    detector=dict(
        _delete_=True,
        _base_='mmdet::sparse_rcnn/sparse-rcnn_r50_fpn_300-proposals_crop-ms-480-800-3x_coco.py',
        test_cfg=dict(rcnn=dict(max_per_img=150)),
    ),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.000025, weight_decay=0.0001),
    clip_grad=dict(max_norm=1, norm_type=2),
)
