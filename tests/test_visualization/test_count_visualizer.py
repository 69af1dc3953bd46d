import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from mmengine.visualization import LocalVisBackend

from mmcount.registry import VISUALIZERS
from mmcount.structures import CountDataSample
from mmcount.visualization import CountVisualizer, count_panels, write_image
from mmcount.visualization.panels import sample_panels


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 80, (40, 60, 3), dtype=np.uint8)


def counted(num, classes=1):
    sample = CountDataSample(metainfo={'img_id': 'a', 'ori_shape': (40, 60)})
    points = torch.linspace(2, 37, num).repeat(2, 1).T
    labels = torch.arange(num) % classes
    sample.gt_instances = InstanceData(points=points, labels=labels)
    sample.gt_counts = torch.bincount(labels, minlength=classes).float()
    sample.pred_instances = InstanceData(points=points, labels=labels, scores=torch.ones(num))
    sample.pred_counts = sample.gt_counts + 0.25
    sample.pred_density = PixelData(data=torch.full((classes, 5, 6), 0.25))
    return sample


def panels_in(picture):
    """Groups of columns that are not paper all the way down."""
    inked = (picture != 250).any(axis=(0, 2))
    return int((np.diff(np.concatenate([[0], inked.astype(int)])) == 1).sum())


def test_a_full_sample_has_four_panels_and_lacking_parts_none(image):
    sample = counted(5)
    assert panels_in(count_panels(image, sample)) == 4
    assert panels_in(count_panels(image, sample, draw_gt=False)) == 3
    assert panels_in(count_panels(image, sample, draw_pred=False)) == 2
    del sample.pred_density
    assert panels_in(count_panels(image, sample)) == 3
    assert panels_in(count_panels(image, None)) == 1


@pytest.mark.parametrize('num', [0, 1, 500])
@pytest.mark.parametrize('classes', [1, 3, 30])
def test_any_number_of_objects_and_classes_can_be_drawn(image, num, classes):
    sample = counted(num, classes)
    sample.pred_interval = torch.stack([sample.pred_counts - 1, sample.pred_counts + 1], dim=1)
    sample.saturated = True
    picture = count_panels(image, sample)
    assert picture.dtype == np.uint8
    assert picture.shape[0] < 1200


def test_the_truth_is_marked_and_an_empty_truth_is_not(image):
    image = np.zeros_like(image)
    marked = count_panels(image, counted(4), draw_pred=False)
    plain = count_panels(image, counted(0), draw_pred=False)
    yellow = [(picture == (255, 214, 10)).all(axis=2).sum() for picture in (marked, plain)]
    assert yellow[0] > 50
    assert yellow[1] == 0


def test_boxes_below_the_threshold_are_not_drawn(image):
    sample = DetDataSample(metainfo={'img_id': 'a'})
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[5.0, 5, 30, 30]]), labels=torch.tensor([0]), scores=torch.tensor([0.4])
    )
    shown = CountVisualizer().draw(image, sample, pred_score_thr=0.3)
    hidden = CountVisualizer().draw(image, sample, pred_score_thr=0.5)
    assert (shown == (255, 214, 10)).all(axis=2).sum() > 100
    assert (hidden == (255, 214, 10)).all(axis=2).sum() == 0


def test_ellipses_are_drawn_in_place_of_their_boxes(image):
    sample = DetDataSample(metainfo={'img_id': 'a'})
    box, ellipse = torch.tensor([[10.0, 5, 50, 35]]), torch.tensor([[30.0, 20, 20, 15]])
    sample.pred_instances = InstanceData(bboxes=box, labels=torch.tensor([0]), scores=torch.tensor([0.9]))
    boxed = (count_panels(image, sample) == (255, 214, 10)).all(axis=2)
    sample.pred_instances.ellipses = ellipse
    round_ = (count_panels(image, sample) == (255, 214, 10)).all(axis=2)
    # The panel begins where the box does; a corner of the box is no part of the ellipse, its centre is marked.
    rows, cols = (np.flatnonzero(boxed.any(axis=axis)) for axis in (1, 0))
    top, left, bottom, right = rows[0], cols[0], rows[-1], cols[-1]
    assert boxed[top : top + 20, left : left + 20].any()
    assert not round_[top : top + 20, left : left + 20].any()
    assert round_[(top + bottom) // 2, (left + right) // 2]
    assert abs(np.flatnonzero(round_.any(axis=0))[0] - left) <= 2


def test_the_colours_of_the_data_set_are_used(image):
    visualizer = VISUALIZERS.build({'type': 'mmcount.CountVisualizer', 'name': 'colours'})
    visualizer.dataset_meta = {'classes': ('cell',), 'palette': [(1, 255, 2)]}
    assert (visualizer.draw(image, counted(5)) == (1, 255, 2)).all(axis=2).any()


def test_a_picture_goes_to_its_file_or_else_to_the_backends(image, tmp_path):
    visualizer = CountVisualizer(vis_backends=[LocalVisBackend(save_dir=str(tmp_path / 'log'))])
    path = tmp_path / 'new' / 'picture.png'
    visualizer.add_datasample('val', image, counted(2), out_file=str(path))
    np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], visualizer.get_image())
    assert not (tmp_path / 'log').exists()
    visualizer.add_datasample('val', image, counted(2), step=7)
    assert (tmp_path / 'log' / 'vis_image' / 'val_7.png').is_file()


def test_the_image_itself_is_not_changed(image):
    before = image.copy()
    count_panels(np.ascontiguousarray(image), counted(20))
    np.testing.assert_array_equal(image, before)


def test_wrong_images_and_file_names_are_refused(image, tmp_path):
    with pytest.raises(ValueError, match=r'image must be \(H, W, 3\) uint8 RGB'):
        count_panels(image[..., 0], None)
    with pytest.raises(ValueError, match='cannot write an image with the suffix'):
        write_image(str(tmp_path / 'a.xyz'), image)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match='smallest_px'):
        CountVisualizer(smallest_px=10, largest_px=5)


def test_what_a_network_gets_is_image_points_and_target(image):
    sample = counted(3)
    sample.gt_map = PixelData(data=torch.ones(1, 4, 6))
    sample.set_metainfo({'halo': 8})
    assert panels_in(sample_panels(image, sample)) == 3


@pytest.mark.parametrize('kind', ['points', 'bboxes'])
def test_objects_in_pixels_of_the_original_are_shown_where_the_resized_image_has_them(kind):
    """A photo of 200 x 50 px (width x height) that was resized to 400 x 400."""

    def panel(scale, ori_shape, **meta):
        sample = CountDataSample(metainfo={'img_id': 'a', 'ori_shape': ori_shape, **meta})
        corners = torch.tensor([[80.0, 30.0, 100.0, 40.0], [4.0, 6.0, 40.0, 8.0]]) * torch.tensor(scale * 2)
        places = corners if kind == 'bboxes' else corners[:, :2] - 0.5
        sample.gt_instances = InstanceData(labels=torch.zeros(2, dtype=torch.int64), **{kind: places})
        return sample_panels(np.full((400, 400, 3), 127, np.uint8), sample)

    expected = panel((2.0, 8.0), (400, 400))
    np.testing.assert_array_equal(panel((1.0, 1.0), (50, 200)), expected)
    # a training pipeline has moved them already
    np.testing.assert_array_equal(panel((2.0, 8.0), (50, 200), flip=False), expected)
    assert (panel((1.0, 1.0), (400, 400)) != expected).any()
