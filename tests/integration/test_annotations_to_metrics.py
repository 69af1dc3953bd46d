"""From target to table with nobody, one head, a crowd, heads outside of the image, and many at one place."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from mmcount.codecs import InstanceMapCodec
from mmcount.datasets.transforms import GenerateTarget, LoadCountAnnotations, PackCountInputs, RandomScaleToMultiple
from mmcount.evaluation import LocalizationMetric
from mmcount.models.tiling import MapTiles
from mmcount.structures import CountDataSample, Objects

SHAPE = (96, 160)


def heads_of(case):
    rng = np.random.default_rng(0)
    return {
        'nobody': np.zeros((0, 2)),
        'one': np.array([[40.0, 30.0]]),
        'outside': np.array([[40.0, 30.0], [-30, 10], [400, 10], [50, 300]]),
        'one place': np.tile([[40.0, 30.0]], (50, 1)),
        'crowd': rng.uniform(0, 1, (13000, 2)) * (160, 96),
    }[case]


@pytest.mark.parametrize('geometry', ['points', 'bboxes'])
@pytest.mark.parametrize('case', ['nobody', 'one', 'outside', 'one place', 'crowd'])
def test_the_way_from_annotations_to_the_table(case, geometry):
    points = heads_of(case)
    image = dict(
        img=np.zeros((*SHAPE, 3), np.uint8),
        img_id=case,
        num_classes=1,
        points=points,
        bboxes=np.concatenate((points - 3, points + 3), axis=1),
        labels=np.zeros(len(points), int),
    )
    codec = InstanceMapCodec(geometry, outside='paint')
    keys = ('points', 'bboxes')
    packing = PackCountInputs(image_counts='annotations', annotation_keys=keys)
    scaling = RandomScaleToMultiple((1.5, 1.5), min_size=(64, 128), divisor=32)
    results = scaling(LoadCountAnnotations(geometry)(dict(image)))
    target = GenerateTarget(codec)(results)['gt_map']
    assert target['data'].shape == (1, *results['img_shape'])
    sample = packing(LoadCountAnnotations(geometry)({**scaling(dict(image))}))['data_samples']
    assert sample.gt_counts.tolist() == [len(points)]
    found = codec.decode((torch.from_numpy(target['data']),), codec.grid(results['img_shape']))
    scale = found.points.new_tensor(results['scale_factor'])
    sample.pred_instances = InstanceData(points=(found.points + 0.5) / scale - 0.5, labels=found.labels)
    metric = LocalizationMetric(sigmas=(4,))
    metric.process({}, [sample.to_dict()])
    metrics = metric.evaluate(1)
    # Squares of points have a quarter of the distance to the next one, and no size without any.
    visible = {'nobody': 0, 'one': 1, 'outside': 1, 'one place': int(geometry == 'bboxes')}.get(case)
    if visible is not None:
        assert found.counts.tolist() == [visible]
        assert metrics['loc/MAE'] == len(points) - visible
        assert metrics['loc/P_l'] == metrics['loc/P_sigma4'] == visible
        assert metrics['loc/R_l'] == (visible / len(points) if len(points) else 0)
    assert np.isfinite(list(metrics.values())).all()
    assert ('loc/NAE' in metrics) == bool(len(points))


class Painted:
    """A model, and its head, whose confidence is a target."""

    data_preprocessor = None
    training = False
    merges_by_averaging = True
    halo = 0
    codec = InstanceMapCodec()

    def __init__(self, target):
        self.target = torch.from_numpy(target)[None]
        self.head = self

    def maps(self, inputs):
        return (self.target[..., : inputs.shape[2], : inputs.shape[3]],)

    def predict(self, maps, samples):
        grid = self.codec.grid(samples[0].img_shape)
        return [self.codec.decode((grid.crop(maps[0][0], samples[0].batch_input_shape),), grid)]


@pytest.mark.parametrize('side', [0, 1, 115])
def test_any_number_of_heads_is_decoded_from_merged_maps(side):
    places = np.arange(side) * 8.0 + 24
    points = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
    size = side * 8 + 48
    codec = InstanceMapCodec('points')
    objects = Objects(points, np.zeros(len(points), int))
    target = codec.encode(objects, codec.grid((size, size)))['data']
    sample = CountDataSample(metainfo=dict(img_shape=(size, size)))
    tiles = MapTiles('average', 1024, 8)
    found = tiles.predict(Painted(target), torch.zeros(1, 3, size, size), [sample])[0]
    assert found.counts.tolist() == [side * side]
    assert found.points.tolist() == points.tolist()
