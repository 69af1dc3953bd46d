"""Composing scenes: how many objects of which class, where, and what the annotation says."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .background import draw_background
from .groups import enclosing_boxes, group_objects, overlap_of_smaller
from .options import SceneOptions
from .parts import DigitParts
from .render import LegoObject, light, render_object

__all__ = ['Scene', 'make_scene']

# What is left of the light under the rim of an object that hides others.
_RIM = 0.3


@dataclass(frozen=True, eq=False)
class Scene:
    """One image and all that is true of it. N objects, P parts, G groups.

    Boxes are xyxy in edge convention and hold exactly the ink they name. Masks are amodal: ink that another object
    outshines or hides belongs to both.

    Args:
        image: (H, W) uint8 grey, or None where only the annotation was asked for.
        boxes: (N, 4) float32.
        labels: (N,) int64.
        part_boxes: (P, 4) float32, in the order of the objects.
        part_labels: (P,) int64, the digits.
        part_owners: (P,) int64, index of the object of each part.
        group_ids: (N,) int64, the group of each object.
        group_boxes: (G, 4) float32, the smallest box around the members.
        group_labels: (G,) int64.
        group_counts: (G,) int64 >= 1, summing to N.
        canvas: Height and width of the image.
        items: The drawn objects.
    """

    image: np.ndarray | None
    boxes: np.ndarray
    labels: np.ndarray
    part_boxes: np.ndarray
    part_labels: np.ndarray
    part_owners: np.ndarray
    group_ids: np.ndarray
    group_boxes: np.ndarray
    group_labels: np.ndarray
    group_counts: np.ndarray
    canvas: tuple[int, int]
    items: tuple[LegoObject, ...]

    def object_masks(self) -> list[np.ndarray]:
        """Ink of each object: N arrays (H, W) uint8 of 0 and 1."""
        return [self._mask(i, item.tile) for i, item in enumerate(self.items)]

    def part_masks(self) -> list[np.ndarray]:
        """Ink of each part: P arrays (H, W) uint8 of 0 and 1."""
        return [self._mask(i, tile) for i, item in enumerate(self.items) for tile in item.part_tiles]

    def group_masks(self) -> list[np.ndarray]:
        """Ink of each group: G arrays (H, W) uint8 of 0 and 1."""
        masks = [np.zeros(self.canvas, dtype=np.uint8) for _ in self.group_counts]
        for group, mask in zip(self.group_ids, self.object_masks(), strict=True):
            np.maximum(masks[group], mask, out=masks[group])
        return masks

    def _mask(self, index: int, tile: np.ndarray) -> np.ndarray:
        mask = np.zeros(self.canvas, dtype=np.uint8)
        x, y = self.boxes[index, :2].astype(int)
        mask[y : y + tile.shape[0], x : x + tile.shape[1]] = tile > 0
        return mask


def _boxes_at(corners: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.concatenate([corners, corners + np.array([shape[1], shape[0]])], axis=1)


class _Layout:
    """The boxes placed so far and the rules for the next one."""

    def __init__(self, options: SceneOptions, rng: np.random.Generator) -> None:
        self.options = options
        self.rng = rng
        self.boxes = np.empty((0, 4))
        self.stacks: np.ndarray = np.empty(0, dtype=np.int64)

    def place(self, shape: tuple[int, ...]) -> bool:
        """Place a box of height and width ``shape`` on its own; False where no tried position is free."""
        height, width = self.options.canvas
        room = np.array([width - shape[1], height - shape[0]])
        draws = self.rng.random((self.options.retries, 2))
        if self.options.center_jitter is None:
            corners = np.floor(draws * (room + 1))
        else:
            corners = np.rint(room / 2 + (2 * draws - 1) * self.options.center_jitter)
        return self._take_first(corners, shape, np.ones(len(corners), dtype=bool), len(self.boxes))

    def place_on(self, shape: tuple[int, ...], first: int, angle: float) -> bool:
        """Place a box onto the last one, in the stack that began with box ``first``."""
        below, start = self.boxes[-1], self.boxes[first]
        draws = self.rng.random((self.options.retries, 2))
        low, high = self.options.stack_shift
        step = low + draws[:, 0] * (high - low)
        turn = angle + (2 * draws[:, 1] - 1) * math.radians(self.options.stack_turn)
        size = start[2:] - start[:2]
        centres = (below[:2] + below[2:]) / 2 + np.stack([np.cos(turn), np.sin(turn)], axis=1) * step[:, None] * size
        corners = np.rint(centres - np.array([shape[1], shape[0]]) / 2)
        boxes = _boxes_at(corners, shape)
        stacked = overlap_of_smaller(boxes, below[None])[:, 0] > self.options.group_overlap
        return self._take_first(corners, shape, stacked, first)

    def _take_first(self, corners: np.ndarray, shape: tuple[int, ...], valid: np.ndarray, stack: int) -> bool:
        height, width = self.options.canvas
        boxes = _boxes_at(corners, shape)
        valid = valid & (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2] <= width) & (boxes[:, 3] <= height)
        boxes = boxes[valid]
        others = self.boxes[self.stacks != stack]
        # One of the first few mostly fits, so the rest is rarely looked at.
        for tried in (boxes[:4], boxes[4:]):
            clear = self._clear_of(tried, others)
            if clear.any():
                self.boxes = np.concatenate([self.boxes, tried[clear.argmax()][None]])
                self.stacks = np.append(self.stacks, stack)
                return True
        return False

    def _clear_of(self, boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
        if self.options.min_gap > 0:
            after = boxes[:, None, :2] - others[None, :, 2:]
            before = others[None, :, :2] - boxes[:, None, 2:]
            gaps: np.ndarray = np.maximum(after, before).max(axis=2)
            return np.all(gaps >= self.options.min_gap, axis=1)
        return np.all(overlap_of_smaller(boxes, others) <= self.options.max_overlap, axis=1)


def _draw_number(options: SceneOptions, rng: np.random.Generator) -> int:
    empty = rng.random() < options.empty_prob
    if options.num_objects_choices is not None:
        number = int(options.num_objects_choices[int(rng.integers(len(options.num_objects_choices)))])
    else:
        low, high = options.num_objects  # type: ignore[misc]  # normalised to a range
        number = int(rng.integers(low, high + 1))
    return 0 if empty else number


def _draw_palette(options: SceneOptions, rng: np.random.Generator) -> list[int]:
    """The classes of a mixed scene."""
    total = len(options.lego_classes)
    if options.classes_per_scene is None:
        return list(range(total))
    low, high = options.classes_per_scene
    return rng.permutation(total)[: int(rng.integers(low, high + 1))].tolist()


def _stack_angle(options: SceneOptions, unit: float) -> float:
    """The direction of a stack in radians, clockwise on the screen, for ``unit`` in 0..1."""
    if options.stack_angles is None:
        return 2 * math.pi * unit
    # Screen y points down.
    return -math.radians(options.stack_angles[int(unit * len(options.stack_angles))])


def _place_objects(
    options: SceneOptions, parts: DigitParts, rng: np.random.Generator, number: int
) -> tuple[np.ndarray, list[int], list[LegoObject]]:
    kinds = options.lego_classes
    layout = _Layout(options, rng)
    items: list[LegoObject] = []
    classes: list[int] = []
    chosen = int(rng.integers(len(kinds)))
    palette = _draw_palette(options, rng)
    left = number
    while left > 0:
        # A stack of one is an object on its own.
        stacked = rng.random() < options.stack_prob
        size = min(left, int(rng.integers(options.stack_size[0], options.stack_size[1] + 1)) if stacked else 1)
        label = chosen if options.class_mode == 'one' else palette[int(rng.integers(len(palette)))]
        angle = _stack_angle(options, rng.random())
        first = len(items)
        for _ in range(size):
            item = render_object(kinds[label], parts, options, rng)
            alone = len(items) == first
            if not (layout.place(item.tile.shape) if alone else layout.place_on(item.tile.shape, first, angle)):
                break
            items.append(item)
            classes.append(label)
        # Members that found no place on their stack get another chance on their own; a lone object does not.
        left -= max(1, len(items) - first)
    return layout.boxes, classes, items


def make_scene(options: SceneOptions, parts: DigitParts, rng: np.random.Generator, paint: bool = True) -> Scene:
    """Compose one scene.

    Objects are drawn one after the other and put at the first of ``options.retries`` random positions that keeps the
    rules; one without a position is left out, of the image and of the annotation alike.

    Args:
        options: What scenes may look like.
        parts: Where digit images come from.
        rng: Source of all choices.
        paint: Without it the image is not made; the annotation is the same.

    Example:
        >>> from mmcount.datasets.lego.parts import load_parts
        >>> options = SceneOptions(layout='single', num_objects=3, background='black')
        >>> scene = make_scene(options, load_parts(), np.random.default_rng(0))
        >>> scene.image.shape, len(scene.boxes), int(scene.group_counts.sum())
        ((128, 128), 3, 3)
    """
    number = _draw_number(options, rng)
    boxes, classes, items = _place_objects(options, parts, rng, number)
    image = _paint(options, boxes, items, rng) if paint else None
    boxes = boxes.astype(np.float32)
    labels = np.array([0 if options.merge_classes else label for label in classes], dtype=np.int64)
    kind_ids = np.array(classes, dtype=np.int64)
    # Merged classes are one class for the annotator too.
    group_ids = group_objects(boxes, labels if options.merge_classes else kind_ids, options.group_overlap)
    group_counts = np.bincount(group_ids, minlength=0).astype(np.int64)
    firsts = np.unique(group_ids, return_index=True)[1]
    shifts = [item.part_boxes + np.tile(box[:2], 2) for item, box in zip(items, boxes, strict=True)]
    return Scene(
        image=image,
        boxes=boxes,
        labels=labels,
        part_boxes=np.concatenate([np.empty((0, 4)), *shifts]).astype(np.float32),
        part_labels=np.array([digit for item in items for digit in item.digits], dtype=np.int64),
        part_owners=np.repeat(np.arange(len(items)), [len(item.digits) for item in items]).astype(np.int64),
        group_ids=group_ids,
        group_boxes=enclosing_boxes(boxes, group_ids),
        group_labels=labels[firsts],
        group_counts=group_counts,
        canvas=options.canvas,
        items=tuple(items),
    )


def _paint(options: SceneOptions, boxes: np.ndarray, items: list[LegoObject], rng: np.random.Generator) -> np.ndarray:
    image = draw_background(options.background, options.canvas, options.background_level, rng)
    for item, box in zip(items, boxes.astype(int), strict=True):
        if options.ink == 'last':
            _cover(image, item, box)
        else:
            region = image[box[1] : box[3], box[0] : box[2]]
            np.maximum(region, light(item), out=region)
    return image


def _cover(image: np.ndarray, item: LegoObject, box: np.ndarray) -> None:
    """Put an object onto an image in place, with a dark rim of one pixel around its ink."""
    ink = np.pad(light(item), 1)
    rim = cv2.dilate(ink, np.ones((3, 3), dtype=np.uint8)) > 0
    # The rim may reach over the border of the image, the ink never does.
    top, left = max(box[1] - 1, 0), max(box[0] - 1, 0)
    region = image[top : box[3] + 1, left : box[2] + 1]
    here = np.s_[top - box[1] + 1 :, left - box[0] + 1 :]
    ink, rim = (array[here][: region.shape[0], : region.shape[1]] for array in (ink, rim))
    region[rim] = region[rim] * _RIM
    np.copyto(region, ink, where=ink > 0)
