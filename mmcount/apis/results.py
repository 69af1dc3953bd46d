"""Counted images as their user sees them: numbers, positions, and whether they can be trusted."""

import base64
import html
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from PIL import Image

Extent = tuple[float, float, float, float]

#: Longer side of each panel of an overlay: larger images are reduced.
LARGEST_PX = 1024
#: Images of a list that a notebook shows as pictures; the others are rows of its table.
SHOWN_PICTURES = 3


def round_count(value: float) -> int:
    """The nearest whole number of objects, halves up, never below zero.

    Example:
        >>> [round_count(value) for value in (2.5, 2.4, -0.7)]
        [3, 2, 0]
    """
    return max(0, int(np.floor(value + 0.5)))


def _no_points() -> np.ndarray:
    return np.zeros((0, 2), dtype=np.float32)


def _no_values() -> np.ndarray:
    return np.zeros(0, dtype=np.float32)


def _no_labels() -> np.ndarray:
    return np.zeros(0, dtype=np.int64)


@dataclass
class CountResult:
    """The prediction for one image. Coordinates are pixels of the original image, pixel centres at integers.

    Symbols: C classes, P objects with a position; P may differ from the count, which a density sums up.

    Args:
        image: Name, unique within a run: the path relative to the folder that all inputs share.
        counts: Objects of each class, not rounded; every class is there, and none if the image failed. The calibrated
            counts if they were asked for.
        points: (P, 2) float32 ``(x, y)``.
        labels: (P,) int64 index of the class.
        scores: (P,) float32; the height of the peak where a map was predicted, else the confidence.
        boxes: (P, 4) float32 ``x1, y1, x2, y2``, or None where there are no boxes.
        box_counts: (P,) float32, objects that each instance stands for.
        calibrated_counts: Objects of each class by the line that was fitted on labelled images; None without a fit.
        interval: Lower and upper bound for each class, around the calibrated count; None if none was fitted.
        calibrated: Whether ``counts`` are the calibrated ones.
        density: (C, h, w) float32 objects per cell, or None.
        extent: (left, top, right, bottom) of the cells of the density, pixels.
        ellipses: (P, 4) float32 centre and half-axes, or None.
        masks: (P, h, w) bool at any resolution, or None.
        saturated: A limit of the method was reached: the count is a lower bound.
        width: Pixels.
        height: Pixels.
        scale: What the image was resized by before it was counted.
        timings: Seconds: ``load`` reads and prepares the image, ``predict`` runs the model and decodes its output (an
            equal share of the batch), ``draw`` makes the overlay.
        path: The file, or None for an array.
        loader: How ``path`` was read and is read again to draw on it; None for the defaults.
        error: Why the image could not be counted; None if it was.

    Example:
        >>> result = CountResult('a.jpg', counts={'cat': 1.4, 'dog': 0.4})
        >>> result.count, round(result.count_float, 2)
        (2, 1.8)
    """

    image: str
    counts: dict[str, float] = field(default_factory=dict)
    points: np.ndarray = field(default_factory=_no_points)
    labels: np.ndarray = field(default_factory=_no_labels)
    scores: np.ndarray = field(default_factory=_no_values)
    boxes: np.ndarray | None = None
    box_counts: np.ndarray = field(default_factory=_no_values)
    calibrated_counts: dict[str, float] | None = None
    interval: dict[str, tuple[float, float]] | None = None
    calibrated: bool = False
    density: np.ndarray | None = None
    extent: Extent | None = None
    ellipses: np.ndarray | None = None
    masks: np.ndarray | None = None
    saturated: bool = False
    width: int = 0
    height: int = 0
    scale: float = 1.0
    timings: dict[str, float] = field(default_factory=dict)
    path: str | None = None
    error: str | None = None
    pixels: np.ndarray | None = field(default=None, repr=False, compare=False)
    palette: list[tuple[int, int, int]] | None = field(default=None, repr=False, compare=False)
    loader: Callable[[dict], dict | None] | None = field(default=None, repr=False, compare=False)

    @property
    def count_float(self) -> float:
        """Objects of all classes, not rounded."""
        return float(sum(self.counts.values()))

    @property
    def count(self) -> int:
        """Objects of all classes, rounded once; 0 if the image failed, so look at ``error`` first."""
        return round_count(self.count_float)

    def summary(self) -> str:
        """The count in one line, with what has to be known about it.

        Example:
            >>> CountResult('a', counts={'cat': 2.0, 'dog': 5.0, 'cow': 0.0}, saturated=True).summary()
            '7 (cat 2.0, dog 5.0), or more: the limit of the model was reached'
        """
        if self.error is not None:
            return f'FAILED: {self.error}'
        notes = []
        if len(self.counts) > 1:
            notes += [f'{name} {value:.1f}' for name, value in self.counts.items() if round_count(value)]
        elif self.calibrated_counts is not None:
            if not self.calibrated:
                notes.append(f'calibrated {sum(self.calibrated_counts.values()):.1f}')
            if self.interval is not None:
                low, high = next(iter(self.interval.values()))
                notes.append(f'{low:.1f} to {high:.1f}')
        words = f'{self.count} ({", ".join(notes)})' if notes else str(self.count)
        return f'{words}, or more: the limit of the model was reached' if self.saturated else words

    def to_dict(self, density: bool = False) -> dict[str, Any]:
        """Numbers, strings and lists only, ready for JSON.

        Args:
            density: Whether to include the density; it has as many numbers as the image has pixels.
        """
        failed = self.error is not None
        out: dict[str, Any] = dict(
            image=self.image,
            path=self.path,
            count=None if failed else self.count,
            count_float=None if failed else self.count_float,
            counts=dict(self.counts),
            calibrated_counts=self.calibrated_counts,
            interval=None if self.interval is None else {name: list(pair) for name, pair in self.interval.items()},
            points=self.points.tolist(),
            labels=self.labels.tolist(),
            scores=self.scores.tolist(),
            boxes=None if self.boxes is None else self.boxes.tolist(),
            box_counts=self.box_counts.tolist(),
            saturated=self.saturated,
            width=self.width,
            height=self.height,
            scale=self.scale,
            timings=dict(self.timings),
            error=self.error,
        )
        if density:
            out['density'] = None if self.density is None else self.density.tolist()
            out['extent'] = self.extent
        return out

    def plot(self) -> Image.Image:
        """The picture of the image with its density and objects; notebooks show it, ``save`` and ``show`` do the rest.

        Raises:
            ValueError: The image failed.
            FileNotFoundError: Its file is gone.
        """
        from mmcount.visualization import CountVisualizer

        if self.error is not None:
            raise ValueError(f'{self.image} was not counted, so there is nothing to draw: {self.error}')
        visualizer = CountVisualizer(name='count_result', largest_px=LARGEST_PX)
        visualizer.dataset_meta = dict(classes=tuple(self.counts), palette=self.palette)
        return Image.fromarray(visualizer.draw(self._rgb(), self._sample(), draw_gt=False, pred_score_thr=-np.inf))

    def _rgb(self) -> np.ndarray:
        """(H, W, 3) uint8, read again where the result does not hold it."""
        from mmcount.datasets.transforms.loading import LoadImage

        pixels = self.pixels
        if pixels is None:
            loaded = (self.loader or LoadImage())(dict(img_path=self.path, img_id=self.image))
            assert loaded is not None
            pixels = loaded['img']
        return cv2.cvtColor(np.clip(pixels, 0, 255).astype(np.uint8), cv2.COLOR_BGR2RGB)

    def _sample(self) -> dict[str, Any]:
        """The dict of a data sample, as the visualizer reads it."""
        instances: dict[str, Any] = dict(labels=self.labels, scores=self.scores, counts=self.box_counts)
        for key, value in (('bboxes', self.boxes), ('ellipses', self.ellipses), ('masks', self.masks)):
            if value is not None:
                instances[key] = value
        if len(self.points) or self.boxes is None:
            instances['points'] = self.points
        sample: dict[str, Any] = dict(
            img_id=self.image,
            pred_counts=np.array(list(self.counts.values())),
            pred_instances=instances,
            saturated=self.saturated,
        )
        if self.calibrated_counts is not None:
            sample['pred_calibrated_counts'] = np.array(list(self.calibrated_counts.values()))
            if self.interval is not None:
                sample['pred_interval'] = np.array(list(self.interval.values()))
        if self.density is not None:
            sample['pred_density'] = dict(data=self.density, extent=self.extent)
        return sample

    def _repr_png_(self) -> bytes | None:
        """Picture for notebooks."""
        if self.error is not None:
            return None
        stream = io.BytesIO()
        self.plot().save(stream, 'PNG')
        return stream.getvalue()

    def _repr_html_(self) -> str:
        """The line and the picture, for notebooks."""
        picture = ''
        if (png := self._repr_png_()) is not None:
            picture = f'<br><img alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        return f'<div><b>{html.escape(self.image)}</b>: {html.escape(self.summary())}{picture}</div>'


class CountResults(list[CountResult]):
    """The results of a call, in the order of the inputs.

    The keys of MMEngine's inferencers work, too: ``['predictions']`` gives the list, or the data samples if they were
    asked for, and ``['visualization']`` the overlays, or an empty list.

    Example:
        >>> results = CountResults([CountResult('a.jpg', counts={'cat': 2.0})])
        >>> results[0].count, results['predictions'][0].count, results['visualization']
        (2, 2, [])
    """

    KEYS = ('predictions', 'visualization')

    def __init__(
        self, results: Iterable[CountResult] = (), predictions: list | None = None, visualization: list | None = None
    ) -> None:
        super().__init__(results)
        self.predictions = self if predictions is None else predictions
        self.visualization = [] if visualization is None else visualization

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in self.KEYS:
                raise KeyError(f'{key!r}; there are {self.KEYS}, and results by their number')
            return getattr(self, key)
        return super().__getitem__(key)

    def keys(self) -> tuple[str, ...]:
        """Names of what MMEngine's inferencers return."""
        return self.KEYS

    @property
    def failed(self) -> list[CountResult]:
        """Those that could not be counted."""
        return [result for result in self if result.error is not None]

    def _repr_html_(self) -> str:
        """A table of all and pictures of the first few, for notebooks."""
        rows = ''.join(
            f'<tr><td>{html.escape(one.image)}</td><td style="text-align:left">{html.escape(one.summary())}</td></tr>'
            for one in self
        )
        pictures = ''.join(one._repr_html_() for one in [*self[:SHOWN_PICTURES]] if one.error is None)
        return f'<table><tr><th>image</th><th style="text-align:left">count</th></tr>{rows}</table>{pictures}'
