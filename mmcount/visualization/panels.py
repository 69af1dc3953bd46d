"""One picture of one image: the image, its ground truth and its prediction side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcount.structures.sample_fields import (
    SCORE_THR,
    counted_from,
    instance_labels,
    instance_points,
    instance_weights,
    predicted_counts,
    to_dict,
    to_numpy,
    true_counts,
)

from .drawing import (
    INK,
    PAPER,
    Colour,
    colour_bar,
    display_size,
    draw_boxes,
    draw_ellipses,
    draw_masks,
    draw_points,
    grid,
    header,
    overlay_density,
    resize,
    to_display,
    warp_density,
)

DEFAULT_PALETTE: tuple[Colour, ...] = (
    (255, 214, 10),
    (0, 200, 255),
    (255, 90, 95),
    (80, 220, 100),
    (190, 120, 255),
    (255, 150, 40),
)
MAX_CLASS_LINES = 6
GREY: Colour = (110, 110, 110)


@dataclass
class PanelStyle:
    """How a picture looks.

    Args:
        classes: Names of the classes; their indices where there are none.
        palette: RGB colour of each class; repeated where there are too few.
        smallest_px: Longer side to which small images are enlarged.
        largest_px: Longer side to which large images are reduced.
        score_thr: Lowest score of an instance that is drawn and counted, if instances are all there is.
    """

    classes: Sequence[str] | None = None
    palette: Sequence[Colour] | None = None
    smallest_px: int = 384
    largest_px: int = 640
    score_thr: float = SCORE_THR

    def name(self, label: int) -> str:
        """The name of a class."""
        return self.classes[label] if self.classes and label < len(self.classes) else f'class {label}'

    def colour(self, label: int) -> Colour:
        """The colour of a class."""
        palette = self.palette or DEFAULT_PALETTE
        red, green, blue = palette[label % len(palette)]
        return int(red), int(green), int(blue)


def count_panels(
    image: np.ndarray, sample: Any, style: PanelStyle | None = None, draw_gt: bool = True, draw_pred: bool = True
) -> np.ndarray:
    """Image | ground truth | predicted density | predicted instances; what a sample lacks is left out.

    Args:
        image: The original image, to whose pixels ground truth and prediction refer.
        sample: A data sample or its dict; None shows the image alone.
        style: How it looks.
        draw_gt: Show the ground truth.
        draw_pred: Show the prediction.

    Shape:
        image: (H, W, 3) uint8 RGB -> (H', W', 3) uint8 RGB.

    Raises:
        ValueError: ``image`` is not (H, W, 3) uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f'image must be (H, W, 3) uint8 RGB, got {image.dtype} of shape {image.shape}')
    style = style or PanelStyle()
    fields = {} if sample is None else to_dict(sample)
    scale = display_size(image.shape[:2], style.smallest_px, style.largest_px)
    small = resize(image, scale)
    title = str(fields.get('img_id', 'image'))
    panels = [_Panel([(title, INK), (f'{image.shape[1]} x {image.shape[0]} px', GREY)], small)]
    if draw_gt and (fields.get('gt_instances') is not None or fields.get('gt_counts') is not None):
        panels.append(_truth(small, fields, style, scale))
    if draw_pred and fields.get('pred_density') is not None:
        panels.append(_density(small, fields, style, scale))
    if draw_pred and (fields.get('pred_instances') is not None or fields.get('pred_counts') is not None):
        panels.append(_prediction(small, fields, style, scale))
    # Wide panels go below each other in pairs, so that the picture fits a screen.
    columns = 2 if len(panels) > 2 and small.shape[1] * len(panels) > 1900 else len(panels)
    drawn = []
    for start in range(0, len(panels), columns):
        row = panels[start : start + columns]
        lines = max(len(panel.lines) for panel in row)
        drawn += [panel.draw(lines) for panel in row]
    return grid(drawn, columns)


def sample_panels(image: np.ndarray, sample: Any, style: PanelStyle | None = None) -> np.ndarray:
    """Panels of the input of a network: the image after the pipeline, its points or boxes, and its target map.

    The map covers the image without half of its ``halo``, or what the meta information ``extent`` of ``gt_map`` says.

    Shape:
        image: (H, W, 3) uint8 RGB, what the pipeline made -> (H', W', 3) uint8 RGB.
    """
    style = style or PanelStyle()
    fields = to_dict(sample)
    scale = display_size(image.shape[:2], style.smallest_px, style.largest_px)
    small = resize(image, scale)
    height, width = image.shape[:2]
    panels = [_Panel([(str(fields.get('img_id', 'image')), INK), (f'{width} x {height} px', GREY)], small)]
    if fields.get('gt_instances') is not None or fields.get('gt_counts') is not None:
        # A pipeline that loads the annotations after resizing keeps them in pixels of the original image; one that
        # flips has loaded them before.
        original = fields.get('ori_shape')
        factors = np.ones(2)
        if original is not None and fields.get('gt_map') is None and fields.get('flip') is None:
            factors = np.array([width / original[1], height / original[0]])
        panels.append(_truth(small, fields, style, scale * factors))
    if fields.get('gt_map') is not None:
        target = to_dict(fields['gt_map'])
        data = to_numpy(target['data'])
        half = fields.get('halo', 0) / 2  # the map of a crop with context ends in the middle of the context
        extent = target.get('extent') or (half - 0.5, half - 0.5, width - half - 0.5, height - half - 0.5)
        warped = warp_density(data.sum(axis=0), small.shape[:2], extent, scale)
        top = max(0.0, float(warped.max(initial=0)))
        shape = ' x '.join(str(side) for side in data.shape)
        lines = [('target map', INK), (f'{shape}, sum {data.sum():.4g}', GREY)]
        panels.append(_Panel(lines, overlay_density(small, warped, top), colour_bar(panel_width(small), f'{top:.2g}')))
    lines_needed = max(len(panel.lines) for panel in panels)
    return grid([panel.draw(lines_needed) for panel in panels], len(panels))


@dataclass
class _Panel:
    lines: list[tuple[str, Colour]]
    body: np.ndarray
    footer: np.ndarray | None = None

    def draw(self, num_lines: int) -> np.ndarray:
        """Header, body, footer; the header has room for ``num_lines``, so that panels of a row line up."""
        width = panel_width(self.body)
        padded = np.full((self.body.shape[0], width, 3), PAPER, np.uint8)
        padded[:, : self.body.shape[1]] = self.body
        lines = self.lines + [('', INK)] * (num_lines - len(self.lines))
        return np.vstack([header(width, lines), padded, *([] if self.footer is None else [self.footer])])


def panel_width(body: np.ndarray) -> int:
    """Pixels of a panel: a tall, narrow image still needs room for its words."""
    return max(body.shape[1], 240)


def _dark(colour: Colour) -> Colour:
    """A colour of a class, dark enough to be read on paper."""
    factor = min(1.0, 110 / max(1.0, float(np.dot(colour, (0.3, 0.59, 0.11)))))
    red, green, blue = (int(value * factor) for value in colour)
    return red, green, blue


def _count_lines(title: str, counts: np.ndarray, style: PanelStyle, note: str = '') -> list[tuple[str, Colour]]:
    lines = [(f'{title}: {_number(counts.sum())}{note}', INK)]
    if counts.size > 1:
        shown = [label for label in range(counts.size) if abs(counts[label]) >= 0.005]
        lines += [(f'{style.name(one)}: {_number(counts[one])}', _dark(style.colour(one))) for one in shown]
        if len(lines) > MAX_CLASS_LINES + 1:
            hidden = len(lines) - MAX_CLASS_LINES
            lines = [*lines[:MAX_CLASS_LINES], (f'and {hidden} more classes', INK)]
    return lines


def _number(value: float) -> str:
    return f'{value:.0f}' if float(value).is_integer() else f'{value:.2f}' if abs(value) < 100 else f'{value:.1f}'


def _truth(small: np.ndarray, fields: Mapping[str, Any], style: PanelStyle, scale: float | np.ndarray) -> _Panel:
    panel = small.copy()
    if fields.get('gt_instances') is not None:
        _draw_instances(panel, fields['gt_instances'], style, scale, 0.0)
    return _Panel(_count_lines('true', true_counts(fields), style), panel)


def _density(small: np.ndarray, fields: Mapping[str, Any], style: PanelStyle, scale: float) -> _Panel:
    density = to_dict(fields['pred_density'])
    total = to_numpy(density['data']).sum(axis=0)
    warped = warp_density(total, small.shape[:2], density.get('extent'), scale)
    maximum = max(0.0, float(warped.max(initial=0)))
    footer = colour_bar(panel_width(small), f'{maximum:.2g} objects per cell')
    return _Panel([(f'density, sum {_number(total.sum())}', INK)], overlay_density(small, warped, maximum), footer)


def _prediction(small: np.ndarray, fields: Mapping[str, Any], style: PanelStyle, scale: float) -> _Panel:
    counts = predicted_counts(fields, score_thr=style.score_thr)
    panel = small.copy()
    marked = 0
    if fields.get('pred_instances') is not None:
        marked = _draw_instances(panel, fields['pred_instances'], style, scale, counted_from(fields, style.score_thr))
    note = ' or more (limit reached)' if fields.get('saturated') else ''
    lines = _count_lines('predicted', counts, style, note)
    lines[1:1] = _extra_lines(fields, counts)
    if marked and abs(marked - counts.sum()) >= 0.5:
        lines.append((f'{marked} marked', GREY))
    return _Panel(lines, panel)


def _extra_lines(fields: Mapping[str, Any], counts: np.ndarray) -> list[tuple[str, Colour]]:
    lines = []
    if fields.get('pred_calibrated_counts') is not None:
        calibrated = to_numpy(fields['pred_calibrated_counts'])
        if np.abs(calibrated - counts).max(initial=0) >= 0.005:
            lines.append((f'calibrated: {_number(calibrated.sum())}', INK))
    # Bounds of several classes cannot be added up to bounds of their sum.
    if fields.get('pred_interval') is not None and counts.size == 1:
        low, high = to_numpy(fields['pred_interval']).reshape(2)
        lines.append((f'interval: {_number(low)} to {_number(high)}', INK))
    return lines


def _draw_instances(
    panel: np.ndarray, instances: Any, style: PanelStyle, scale: float | np.ndarray, score_thr: float
) -> int:
    """Draw the instances that count, scaled by one number or by (x, y), and return their number."""
    fields = to_dict(instances)
    labels, weights = instance_labels(fields), instance_weights(fields, score_thr)
    keep = weights > 0
    colours = [style.colour(label) for label in labels[keep]]
    if not colours or ('points' not in fields and 'bboxes' not in fields):
        return 0
    if fields.get('masks') is not None and _whole_image(fields['masks'], panel):
        draw_masks(panel, _mask_array(fields['masks'])[keep], colours)
        if (weights[keep] == 1).all():  # boxes would only hide the masks, but say how many objects they hold
            return len(colours)
    boxes = None if fields.get('bboxes') is None else to_numpy(fields['bboxes'])
    factors = np.tile(np.broadcast_to(scale, 2), 2)
    thickness = 2 if len(colours) < 100 else 1
    if fields.get('ellipses') is not None:  # their boxes are only the smallest ones around them
        shapes = to_numpy(fields['ellipses']).reshape(-1, 4)[keep] * factors
        draw_ellipses(panel, shapes - np.array([0.5, 0.5, 0, 0]), colours, thickness)
    elif boxes is not None and boxes.shape[-1] >= 4:
        draw_boxes(panel, boxes[keep, :4] * factors - 0.5, colours, weights[keep], thickness)
    else:
        # Marks of half the room that each object has never hide the scene.
        room = np.sqrt(panel.shape[0] * panel.shape[1] / len(colours))
        draw_points(panel, to_display(instance_points(fields)[keep], scale), colours, int(np.clip(room / 10, 3, 6)))
    return len(colours)


def _mask_array(masks: Any) -> np.ndarray:
    """(N, h, w) bool of a tensor, of mmdet's bitmaps or of an array."""
    if hasattr(masks, 'to_ndarray'):
        masks = masks.to_ndarray()
    return np.asarray(masks.cpu() if hasattr(masks, 'cpu') else masks) > 0


def _whole_image(masks: Any, panel: np.ndarray) -> bool:
    """Whether masks, though of another resolution, have the proportions of the picture."""
    height, width = (masks.height, masks.width) if hasattr(masks, 'height') else masks.shape[-2:]
    return bool(abs(panel.shape[0] * width - panel.shape[1] * height) <= max(height, width, *panel.shape[:2]))
