"""Objects of one image, as codecs take them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .sample_fields import instance_labels, instance_points, to_dict, to_numpy


@dataclass
class Objects:
    """Annotated or known objects in pixels of the network's input.

    Args:
        points: (N, 2) float, (x, y), pixel centres at integers.
        labels: (N,) int64; all 0 by default.
        bboxes: (N, 4) float, (x1, y1, x2, y2) in pixel edges, or None if only points are known.
        counts: (N,) int64 objects of each entry, or None for one each.

    Raises:
        ValueError: The lengths differ.

    Example:
        >>> group = Objects(np.array([[4.0, 2.0], [9.0, 9.0]]), counts=np.array([3, 1]))
        >>> len(group.inside((8, 8)).points)
        3
    """

    points: NDArray[Any]
    labels: NDArray[Any] = None  # type: ignore[assignment]
    bboxes: NDArray[Any] | None = None
    counts: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        self.points = np.asarray(self.points, dtype=np.float64).reshape(-1, 2)
        if self.labels is None:
            self.labels = np.zeros(len(self.points), dtype=np.int64)
        self.labels = np.asarray(self.labels, dtype=np.int64).reshape(-1)
        if self.bboxes is not None:
            self.bboxes = np.asarray(self.bboxes, dtype=np.float64).reshape(-1, 4)
        for name in ('labels', 'bboxes', 'counts'):
            field = getattr(self, name)
            if field is not None and len(field) != len(self.points):
                raise ValueError(f'{len(self.points)} points need as many {name}, got {len(field)}')

    @classmethod
    def from_instances(cls, instances: Any, scale: tuple[float, float] = (1.0, 1.0)) -> 'Objects':
        """Objects of a sample's ``gt_instances``.

        Args:
            instances: With ``points`` or ``bboxes``, ``labels`` and optionally ``counts``.
            scale: (x, y) factors from their pixels to those of the network's input.
        """
        fields = to_dict(instances)
        bboxes = fields.get('bboxes')
        factors = np.asarray(scale, dtype=np.float64)
        if bboxes is not None:
            bboxes = (to_numpy(bboxes)[:, :4] if len(bboxes) else np.zeros((0, 4))) * np.tile(factors, 2)
        return cls(
            (instance_points(instances) + 0.5) * factors - 0.5,
            instance_labels(instances),
            bboxes,
            None if fields.get('counts') is None else to_numpy(fields['counts']).astype(np.int64),
        )

    def inside(self, img_shape: tuple[int, int]) -> 'Objects':
        """One point for every counted object in an image of (height, width): a box that counts n gives n points.

        A point is inside if its pixel is: pixel c covers [c - 0.5, c + 0.5).
        """
        height, width = img_shape
        keep = ((self.points >= -0.5) & (self.points < (width - 0.5, height - 0.5))).all(axis=1)
        index = np.flatnonzero(keep)
        if self.counts is not None:
            index = np.repeat(index, np.asarray(self.counts)[index])
        return Objects(self.points[index], self.labels[index])

    def checked(self, num_classes: int) -> 'Objects':
        """These objects.

        Raises:
            ValueError: A number is not finite or beyond 2^29 px, or a label is not in 0..num_classes-1.
        """
        numbers = self.points if self.bboxes is None else np.concatenate((self.points, self.bboxes), axis=1)
        finite = (np.isfinite(numbers) & (np.abs(numbers) < 2**29)).all(axis=1)
        if not finite.all():
            index = int(np.argmin(finite))
            raise ValueError(f'object {index} must be finite and within 2^29 px, got {numbers[index].tolist()}')
        labels = self.labels
        if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
            raise ValueError(f'labels must be in 0..{num_classes - 1}, got {labels.min()}..{labels.max()}')
        return self

    def boxes(self) -> NDArray[Any]:
        """(N, 4) boxes.

        Raises:
            ValueError: Only points are known.
        """
        if self.bboxes is None:
            raise ValueError(
                'the codec paints boxes, but the objects are points: load them with LoadCountAnnotations(geometry='
                "'bboxes'), or give the codec geometry='points'"
            )
        return self.bboxes
