_base_ = './counting-retinanet_r50_12e_locount.py'

model = dict(
    detector=dict(
        _delete_=True,
        _base_='mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
        test_cfg=dict(rcnn=dict(max_per_img=150)),
    ),
    roi_extractor=dict(featmap_strides=[4, 8, 16, 32]),
)
optim_wrapper = dict(optimizer=dict(lr=0.02))
