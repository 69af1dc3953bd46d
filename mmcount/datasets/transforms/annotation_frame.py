"""Whether annotations still lie on the image that they were made for."""

import numpy as np

from mmcount.structures import PointBoxes


def annotations_moved(results: dict) -> bool | None:
    """Whether a transform moved, cut or dropped objects after they were loaded.

    The objects of ``gt_bboxes`` are compared with those of the data set (``points`` or ``bboxes``), each with the one
    that ``gt_annotation_ids`` names.

    Returns:
        None if the results do not tell, e.g. without :class:`LoadCountAnnotations`.

    Example:
        >>> results = dict(gt_bboxes=PointBoxes([[3.0, 4.0]]), points=[[3.0, 4.0]], gt_annotation_ids=np.array([0]))
        >>> annotations_moved(results)
        False
        >>> results['gt_bboxes'].rescale_((2, 2))
        >>> annotations_moved(results)
        True
    """
    boxes, ids = results['gt_bboxes'], results.get('gt_annotation_ids')
    annotated = results.get('points' if isinstance(boxes, PointBoxes) else 'bboxes')
    if ids is None or annotated is None:
        return None
    columns = 2 if isinstance(boxes, PointBoxes) else 4
    annotated = np.asarray(annotated, dtype=np.float32).reshape(-1, columns)
    # A transform that does not know the ids drops objects without them.
    if len(ids) != len(boxes) or len(np.unique(ids)) != len(annotated):
        return True
    return not np.array_equal(boxes.tensor.numpy()[:, :columns].astype(np.float32), annotated[ids])


def annotation_mismatch(results: dict) -> str | None:
    """Say why predictions, brought back by the scale factor alone, cannot be compared with the annotations.

    Returns:
        None if nothing is known against it.
    """
    if results.get('gt_bboxes') is not None and annotations_moved(results):
        return 'its annotations were resized, flipped or cut after they were loaded'
    if results.get('img_shape') is not None and results.get('ori_shape') is not None:
        scales = results.get('scale_factor', (1.0, 1.0))[1::-1]  # (x, y) -> (height, width)
        pairs = zip(results['img_shape'][:2], results['ori_shape'][:2], scales, strict=True)
        if any(side < original * scale - 1.5 for side, original, scale in pairs):  # sides are rounded
            return f'its image was cut to {results["img_shape"][:2]} (height, width)'
    return None


def check_resized(results: dict, name: str) -> None:
    """Refuse objects that do not lie on their resized image because they were loaded after it was resized.

    Raises:
        ValueError: The objects are where they were annotated.
    """
    if len(results['gt_bboxes']) and annotations_moved(results) is False:
        raise ValueError(
            f'{name} was resized by {tuple(results["scale_factor"])} before its annotations were loaded, so they do '
            "not lie on it; load them before the geometric transforms, or set image_counts='annotations' of "
            'PackCountInputs for evaluation'
        )
