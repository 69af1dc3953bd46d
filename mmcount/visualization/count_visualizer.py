"""The visualizer of the MMEngine runner that shows counts."""

from typing import Any

import cv2
import numpy as np
from mmengine.dist import master_only
from mmengine.visualization import Visualizer

from mmcount.registry import VISUALIZERS
from mmcount.structures.sample_fields import SCORE_THR
from mmcount.utils.atomic import write_atomic

from .panels import PanelStyle, count_panels


def write_image(path: str, image: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 RGB image to a PNG or JPEG file, whole or not at all.

    Raises:
        ValueError: The suffix of ``path`` names no image format.
    """
    suffix = path[path.rfind('.') :] if '.' in path else ''
    try:
        done, content = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise ValueError(f'{path}: cannot write an image with the suffix {suffix!r}; use .png or .jpg') from error
    if not done:
        raise ValueError(f'{path}: the image could not be encoded')
    write_atomic(path, content.tobytes())


@VISUALIZERS.register_module()
class CountVisualizer(Visualizer):
    """Pictures of counted images: image | ground truth | predicted density | predicted points, boxes or ellipses.

    Works for every data sample that the metrics accept, plain detectors' included.

    Args:
        name: Name of the instance.
        smallest_px: Longer side to which small images are enlarged, so that text is legible.
        largest_px: Longer side to which large images are reduced.
        **kwargs: As :class:`mmengine.visualization.Visualizer`.

    Example:
        >>> visualizer = CountVisualizer()
        >>> image = np.zeros((40, 40, 3), np.uint8)
        >>> visualizer.add_datasample('one', image, {'img_id': 'one', 'pred_counts': [2.5]})
        >>> visualizer.get_image().shape[2]
        3
    """

    def __init__(self, name: str = 'visualizer', smallest_px: int = 384, largest_px: int = 640, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        if not 0 < smallest_px <= largest_px:
            raise ValueError(f'0 < smallest_px <= largest_px must hold, got {smallest_px} and {largest_px}')
        self.smallest_px = smallest_px
        self.largest_px = largest_px
        self._picture: np.ndarray | None = None

    def draw(
        self,
        image: np.ndarray,
        data_sample: Any,
        draw_gt: bool = True,
        draw_pred: bool = True,
        pred_score_thr: float = SCORE_THR,
    ) -> np.ndarray:
        """The picture of one image; arguments as of :meth:`add_datasample`.

        Shape:
            image: (H, W, 3) uint8 RGB -> (H', W', 3) uint8 RGB.
        """
        meta = self.dataset_meta or {}
        classes = meta.get('classes')
        style = PanelStyle(
            classes=(classes,) if isinstance(classes, str) else classes,
            palette=meta.get('palette') if isinstance(meta.get('palette'), (list, tuple)) else None,
            smallest_px=self.smallest_px,
            largest_px=self.largest_px,
            score_thr=pred_score_thr,
        )
        return count_panels(image, data_sample, style, draw_gt, draw_pred)

    @master_only
    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: Any = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        pred_score_thr: float = SCORE_THR,
        step: int = 0,
    ) -> None:
        """Draw one image and show it, write it to a file, or hand it to the backends.

        Args:
            name: What backends and windows call the picture.
            image: (H, W, 3) uint8 RGB, the original image.
            data_sample: Ground truth and prediction in pixels of ``image``; a sample, its dict, or None.
            draw_gt: Show the ground truth.
            draw_pred: Show the prediction.
            show: Open a window.
            wait_time: Seconds that the window stays; 0 waits for a key.
            out_file: File that gets the picture; without it the backends get it.
            pred_score_thr: Lowest score of a predicted instance that is drawn.
            step: Step that the backends note.

        Raises:
            ValueError: ``image`` is not (H, W, 3) uint8.
        """
        self._picture = self.draw(image, data_sample, draw_gt, draw_pred, pred_score_thr)
        if show:
            self.show(self._picture, win_name=name, wait_time=wait_time)
        if out_file is not None:
            write_image(str(out_file), self._picture)
        else:
            self.add_image(name, self._picture, step)

    @master_only
    def get_image(self) -> np.ndarray:
        """The last picture, (H, W, 3) uint8 RGB."""
        return super().get_image() if self._picture is None else self._picture
