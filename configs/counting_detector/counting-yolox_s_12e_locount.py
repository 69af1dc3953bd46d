_base_ = './counting-retinanet_r50_12e_locount.py'

# Batches keep their size: the random square sizes of YOLOX would distort images of 16:9.
model = dict(
    detector=dict(
        _delete_=True,
        _base_='mmdet::yolox/yolox_s_8xb8-300e_coco.py',
        data_preprocessor=dict(batch_augments=None),
        test_cfg=dict(nms=dict(max_num=150)),
    ),
    roi_extractor=dict(featmap_strides=[8, 16, 32], out_channels=128),
)
optim_wrapper = dict(
    optimizer=dict(nesterov=True, weight_decay=0.0005), paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0)
)
