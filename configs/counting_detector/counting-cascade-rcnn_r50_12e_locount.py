_base_ = './counting-faster-rcnn_r50_12e_locount.py'

model = dict(
    detector=dict(
        _delete_=True,
        _base_='mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
        test_cfg=dict(rcnn=dict(max_per_img=150)),
    ),
)
