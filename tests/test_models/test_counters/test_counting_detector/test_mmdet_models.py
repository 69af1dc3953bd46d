"""Models of mmdet that need more than boxes in their samples train a step and predict."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmdet.models.dense_heads import atss_vlfusion_head
from mmdet.models.layers import MLP
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import nn

from mmcount.models.counters import detection_cap, load_model_config
from mmcount.registry import MODELS, TRANSFORMS
from mmcount.structures import CountedBoxes
from mmcount.utils import register_all_modules

SIDE = 96
CLASSES = 3
WIDTH = 16
RESNET = dict(depth=18, base_channels=8, init_cfg=None, style='pytorch', frozen_stages=-1, norm_eval=False)
FPN = dict(in_channels=[8, 16, 32, 64], out_channels=WIDTH)
WORDS = 256  # width of the text: mmdet's sine embedding of tokens has no other
PROMPT = 'cat. dog. cow'


class TinyLanguageModel(nn.Module):
    """Stands for BERT: every letter is a token, with a learnt embedding; padded to 256 tokens."""

    max_tokens = 256
    pad_to_max = True

    def __init__(self, mask_dims):
        super().__init__()
        self.mask_dims = mask_dims
        self.embedding = nn.Embedding(128, WORDS)
        self.language_backbone = SimpleNamespace(body=SimpleNamespace(language_dim=WORDS))

    @staticmethod
    def tokenizer(texts, **_):
        ids = torch.tensor([[min(ord(letter), 127) for letter in text.ljust(256)] for text in texts])
        return SimpleNamespace(input_ids=ids, char_to_token=lambda index: index)

    def forward(self, texts):
        ids = self.tokenizer(texts).input_ids
        batch, length = ids.shape
        embedded = self.embedding(ids)
        return dict(
            embedded=embedded,
            hidden=embedded,
            masks=torch.eye(length, dtype=torch.bool).repeat(batch, 1, 1)
            if self.mask_dims == 3
            else torch.ones_like(ids),
            position_ids=torch.zeros_like(ids),
            text_token_mask=torch.ones_like(ids, dtype=torch.bool),
        )


@pytest.fixture(autouse=True)
def language_model(monkeypatch):
    """BERT is neither installed nor loaded."""
    register_all_modules()
    init_default_scope('mmcount')
    MMDET_MODELS.register_module(name='TinyLanguageModel', module=TinyLanguageModel, force=True)
    config = SimpleNamespace(from_pretrained=lambda name: SimpleNamespace(hidden_size=WORDS))
    monkeypatch.setattr(atss_vlfusion_head, 'BertConfig', config)
    yield
    MMDET_MODELS.module_dict.pop('TinyLanguageModel')


def cascade(cfg, **roi_head):
    """A cascade of boxes and masks, small."""
    heads = [{**head, 'in_channels': WIDTH, 'fc_out_channels': WIDTH} for head in cfg.roi_head.bbox_head]
    semantic = dict(in_channels=WIDTH, conv_out_channels=WIDTH, num_convs=1, num_classes=5)
    extractor = dict(out_channels=WIDTH)
    return dict(
        backbone=RESNET,
        neck=FPN,
        rpn_head=dict(in_channels=WIDTH, feat_channels=WIDTH),
        roi_head=dict(
            bbox_head=heads,
            bbox_roi_extractor=extractor,
            mask_roi_extractor=extractor,
            semantic_roi_extractor=extractor,
            semantic_head=semantic,
            **roi_head,
        ),
        train_cfg=dict(rpn_proposal=dict(nms_pre=50, max_per_img=20)),
        test_cfg=dict(rpn=dict(nms_pre=50, max_per_img=20), rcnn=dict(score_thr=0.0, max_per_img=5)),
    )


def masks(cfg):
    return [
        {**head, 'in_channels': WIDTH, 'conv_out_channels': WIDTH, 'num_convs': 1} for head in cfg.roi_head.mask_head
    ]


def shrink_htc(cfg):
    return cascade(cfg, mask_head=masks(cfg))


def shrink_scnet(cfg):
    narrow = dict(in_channels=WIDTH, conv_out_channels=WIDTH, num_convs=2)
    relay = dict(in_channels=WIDTH, out_conv_channels=WIDTH)
    return cascade(cfg, mask_head=narrow, glbctx_head=narrow, feat_relay_head=relay)


def two_stages(**roi_head):
    return dict(
        backbone=RESNET,
        neck=FPN,
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=WIDTH),
            bbox_head=dict(in_channels=WIDTH, fc_out_channels=WIDTH),
            **roi_head,
        ),
        test_cfg=dict(rcnn=dict(score_thr=0.0, max_per_img=5)),
    )


def shrink_mask_rcnn(cfg):
    head = dict(in_channels=WIDTH, conv_out_channels=WIDTH, num_convs=1)
    small = two_stages(mask_roi_extractor=dict(out_channels=WIDTH), mask_head=head)
    return dict(small, rpn_head=dict(in_channels=WIDTH, feat_channels=WIDTH))


def shrink_fast_rcnn(cfg):
    return two_stages()


def shrink_yolact(cfg):
    return dict(
        backbone=RESNET,
        neck=FPN,
        bbox_head=dict(in_channels=WIDTH, feat_channels=WIDTH),
        mask_head=dict(in_channels=WIDTH),
        test_cfg=dict(score_thr=0.0, max_per_img=5),
    )


def shrink_centernet(cfg):
    neck = dict(in_channels=64, num_deconv_filters=(16, 16, 16), use_dcn=False)
    return dict(backbone=RESNET, neck=neck, bbox_head=dict(in_channels=16, feat_channels=16), test_cfg=dict(topk=7))


def shrink_cornernet(cfg):
    backbone = dict(
        downsample_times=2,
        num_stacks=2,
        stage_channels=[WIDTH, WIDTH, WIDTH],
        stage_blocks=[1, 1, 1],
        feat_channel=WIDTH,
    )
    return dict(backbone=backbone, bbox_head=dict(in_channels=WIDTH), test_cfg=dict(corner_topk=40, max_per_img=5))


def shrink_glip(cfg):
    backbone = dict(_delete_=True, type='ResNet', num_stages=4, out_indices=(1, 2, 3), **RESNET)
    head = dict(num_dyhead_blocks=1)  # its width is the largest number of tokens
    language = dict(_delete_=True, type='TinyLanguageModel', mask_dims=2)
    neck = dict(in_channels=[16, 32, 64])
    test_cfg = dict(score_thr=0.0, max_per_img=5)
    return dict(backbone=backbone, neck=neck, bbox_head=head, language_model=language, test_cfg=test_cfg)


def shrink_grounding_dino(cfg):
    size, ffn = dict(embed_dims=WORDS, num_heads=4), dict(embed_dims=WORDS, feedforward_channels=16)
    return dict(
        num_queries=10,
        language_model=dict(_delete_=True, type='TinyLanguageModel', mask_dims=3),
        backbone=dict(_delete_=True, type='ResNet', num_stages=4, out_indices=(1, 2, 3), **RESNET),
        neck=dict(in_channels=[16, 32, 64], out_channels=WORDS, norm_cfg=dict(num_groups=4)),
        encoder=dict(
            num_layers=1,
            num_cp=-1,
            layer_cfg=dict(self_attn_cfg=size, ffn_cfg=ffn),
            text_layer_cfg=dict(self_attn_cfg=size, ffn_cfg=ffn),
            fusion_layer_cfg=dict(v_dim=WORDS, l_dim=WORDS, embed_dim=WORDS, num_heads=4),
        ),
        decoder=dict(
            num_layers=1,
            layer_cfg=dict(self_attn_cfg=size, cross_attn_text_cfg=size, cross_attn_cfg=size, ffn_cfg=ffn),
        ),
        positional_encoding=dict(num_feats=WORDS // 2),
        dn_cfg=dict(group_cfg=dict(num_dn_queries=4)),
        test_cfg=dict(max_per_img=8),
    )


# The config, what makes it small, the strides and channels of its levels, its cap, what is packed beside boxes.
CASES = {
    'htc': ('htc/htc_r50_fpn_1x_coco.py', shrink_htc, [4, 8], WIDTH, 5, 'seg'),
    'scnet': ('scnet/scnet_r50_fpn_1x_coco.py', shrink_scnet, [4, 8], WIDTH, 5, 'seg'),
    'mask_rcnn': ('mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', shrink_mask_rcnn, [4, 8], WIDTH, 5, 'seg'),
    'fast_rcnn': ('fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py', shrink_fast_rcnn, [4, 8], WIDTH, 5, 'proposals'),
    'yolact': ('yolact/yolact_r50_1xb8-55e_coco.py', shrink_yolact, [8, 16], WIDTH, 5, 'seg'),
    'centernet': ('centernet/centernet_r18_8xb16-crop512-140e_coco.py', shrink_centernet, [4], 16, 7, 'border'),
    'cornernet': (
        'cornernet/cornernet_hourglass104_8xb6-210e-mstest_coco.py',
        shrink_cornernet,
        [4],
        WIDTH,
        5,
        'border',
    ),
    'glip': ('glip/glip_atss_swin-t_a_fpn_dyhead_16xb2_ms-2x_funtune_coco.py', shrink_glip, [8, 16], WORDS, 5, 'text'),
    'grounding_dino': (
        'grounding_dino/grounding_dino_swin-t_finetune_16xb2_1x_coco.py',
        shrink_grounding_dino,
        [8, 16],
        WORDS,
        8,
        'text',
    ),
}


def counting(detector, strides, channels, **options):
    head = dict(codec=dict(type='mmcount.DigitCodec', max_count=20, base=10), fc_out_channels=8)
    extractor = dict(featmap_strides=strides, out_channels=channels)
    parts = dict(detector=detector, num_classes=CLASSES, roi_extractor=extractor, count_head=head)
    return dict(type='mmcount.CountingDetector', **parts, **options)


def build(name, **options):
    path, shrink, strides, channels, _, _ = CASES[name]
    whole = Config(dict(model=load_model_config(f'mmdet::{path}')))
    whole.merge_from_dict(dict(model=shrink(whole.model)))
    torch.manual_seed(0)
    model = MODELS.build(counting(whole.model, strides, channels, **options))
    if name == 'grounding_dino':
        # mmdet 3.5.1 makes this layer for half of the encoding of positions that it computes, and runs for nobody.
        model.detector.decoder.ref_point_head = MLP(4 * WORDS, WORDS, WORDS, 2)
    model.init_weights()
    return model


def packed(extra, number, seed):
    """What a pipeline makes of an image with this many boxes."""
    rng = np.random.default_rng(seed)
    corners = rng.random((number, 2)) * SIDE * 0.4
    boxes = np.concatenate([corners, corners + SIDE * (0.2 + 0.3 * rng.random((number, 2)))], axis=1)
    counts = rng.integers(1, 21, (number, 1))
    results = dict(
        img=rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8),
        img_id=f'image-{seed}',
        img_shape=(SIDE, SIDE),
        ori_shape=(SIDE, SIDE),
        num_classes=CLASSES,
        gt_bboxes=CountedBoxes(torch.from_numpy(np.concatenate([boxes, counts], axis=1)).float()),
        gt_bboxes_labels=rng.integers(0, CLASSES, number),
    )
    if extra == 'seg':
        results['gt_seg_map'] = rng.integers(0, 5, (SIDE, SIDE)).astype(np.uint8)
        results['gt_masks'] = BitmapMasks(rng.integers(0, 2, (number, SIDE, SIDE)).astype(np.uint8), SIDE, SIDE)
    elif extra == 'proposals':
        results['proposals'] = np.array([[4, 4, 60, 60], [30, 20, 90, 70]], np.float32)
        results['proposals_scores'] = np.array([0.9, 0.8], np.float32)
    elif extra == 'border':
        results['border'] = np.array([8, 88, 4, 92])
    else:
        results.update(text=PROMPT, custom_entities=True)
    return TRANSFORMS.build(dict(type='mmcount.PackCountInputs'))(results)


@pytest.mark.parametrize('name', CASES)
def test_it_trains_a_step_and_predicts(name):
    *_, cap, extra = CASES[name]
    model = build(name, count_train_cfg=dict(source='both'))
    data = pseudo_collate([packed(extra, 3, 0), packed(extra, 1, 1)])
    losses = model.train()(**model.data_preprocessor(data, True), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert 'counts.loss' in losses
    assert all(bool((one.weight.grad != 0).any()) for one in model.count_head.outputs)
    assert detection_cap(model) == cap
    with torch.no_grad():
        samples = model.eval().test_step(pseudo_collate([packed(extra, 0, 0), packed(extra, 0, 1)]))
    assert sum(len(sample.pred_instances) for sample in samples) > 0 or name == 'cornernet'
    for sample in samples:
        found = sample.pred_instances
        assert len(found.counts) == len(found.bboxes) == len(found.label_names) <= cap
        assert sample.pred_counts.shape == (CLASSES,)
        if extra == 'text':
            assert {name.split(' x')[0] for name in found.label_names} <= {'cat', 'dog', 'cow', 'unobject'}


def test_prompts_of_det_inferencer_reach_the_detector():
    path, shrink, *_ = CASES['glip']
    whole = Config(dict(model=load_model_config(f'mmdet::{path}')))
    whole.merge_from_dict(dict(model=shrink(whole.model)))
    steps = [
        dict(type='mmcount.LoadImageFromFile'),
        dict(type='mmcount.LoadCountAnnotations', geometry='counted_bboxes'),
        dict(type='mmcount.PackCountInputs', image_counts='annotations'),
    ]
    cfg = Config(
        dict(
            model=counting(whole.model, [8, 16], WORDS),
            test_dataloader=dict(dataset=dict(type='mmcount.MNISTLego', subset='test', pipeline=steps)),
            visualizer=dict(type='mmcount.CountVisualizer', name='prompts'),
        )
    )
    inferencer = DetInferencer(cfg, device='cpu', scope='mmcount', show_progress=False)
    options = dict(texts=PROMPT, custom_entities=True, return_datasamples=True, no_save_vis=True)
    (sample,) = inferencer(np.zeros((SIDE, SIDE, 3), np.uint8), **options)['predictions']
    names = sample.pred_instances.label_names
    assert len(names) == len(sample.pred_instances.counts) > 0
    assert {name.split(' x')[0] for name in names} <= {'cat', 'dog', 'cow'}


@pytest.mark.parametrize('name', ['centernet', 'cornernet'])
@pytest.mark.parametrize('scale', [1.0, 0.5])
def test_counts_are_read_behind_the_border_that_was_added(name, scale, predicting):
    model = build(name).eval()
    pooled = []
    model.count_roi_extractor.register_forward_pre_hook(lambda _, args: pooled.append(args[1][:, 1:].tolist()))
    predicting(model.detector, [[10.0, 20.0, 30.0, 40.0]])
    data = packed('border', 0, 0)
    data['data_samples'].set_metainfo(dict(scale_factor=(scale, scale)))
    model.test_step(pseudo_collate([data]))
    assert pooled == [[[10 * scale + 4, 20 * scale + 8, 30 * scale + 4, 40 * scale + 8]]]


def test_without_a_border_there_is_none():
    model = build('centernet').eval()
    data = packed('seg', 0, 0)
    sample = model.test_step(pseudo_collate([data]))[0]
    assert len(sample.pred_instances.counts) == 7
