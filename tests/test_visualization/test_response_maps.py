"""Instance masks and peak responses in pictures."""

import cv2
import numpy as np
import pytest
import torch

from mmcount.visualization import CountVisualizer, response_panels, save_response_maps
from mmcount.visualization.drawing import draw_masks


def test_masks_are_tinted_and_outlined():
    image = np.full((40, 60, 3), 100, np.uint8)
    mask = np.zeros((20, 30), bool)
    mask[5:15, 5:15] = True
    draw_masks(image, mask[None], [(255, 0, 0)])
    assert image[20, 20].tolist() == [169, 55, 55]
    assert image[0, 0].tolist() == [100, 100, 100]
    assert image[10, 15].tolist() == [255, 0, 0]


def test_the_visualizer_draws_predicted_masks():
    image = np.full((200, 300, 3), 90, np.uint8)
    masks = torch.zeros(2, 200, 300, dtype=torch.bool)
    masks[0, 20:80, 20:90] = masks[1, 100:180, 150:280] = True
    fields = dict(
        labels=torch.tensor([0, 0]), scores=torch.tensor([0.9, 0.1]), points=torch.tensor([[50.0, 50], [200, 140]])
    )
    sample = dict(img_id='one', pred_instances=fields)
    drawer = CountVisualizer(smallest_px=300, largest_px=300)
    plain, tinted = (
        drawer.draw(image, {**sample, 'pred_instances': one}) for one in (fields, {**fields, 'masks': masks})
    )
    panel = tinted[-210:, -310:]
    changed = (np.abs(panel.astype(int) - plain[-210:, -310:]).sum(axis=2) > 30).mean()
    assert 0.04 < changed < 0.12  # the first mask is 7 % of the panel; the second is below the score threshold


def test_response_pictures(tmp_path):
    maps = np.zeros((5, 20, 30))
    maps[:, 10, 15] = 1
    image = np.full((40, 60, 3), 128, np.uint8)
    path = tmp_path / 'responses.png'
    save_response_maps(path, image, torch.from_numpy(maps), points=[[30, 20]] * 5, titles=list('abcde'))
    assert np.array_equal(
        cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB),
        response_panels(image, maps, [[30, 20]] * 5, list('abcde')),
    )
    for wrong in (dict(responses=maps[:0]), dict(responses=maps, points=[[1, 1]]), dict(responses=maps, titles=['a'])):
        with pytest.raises(ValueError, match='map'):
            response_panels(image, **wrong)
