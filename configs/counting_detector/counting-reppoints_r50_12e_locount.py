_base_ = './counting-retinanet_r50_12e_locount.py'

model = dict(
    detector=dict(
        _delete_=True,
        _base_='mmdet::reppoints/reppoints-moment_r50_fpn-gn_head-gn_1x_coco.py',
        test_cfg=dict(max_per_img=150),
    ),
)
