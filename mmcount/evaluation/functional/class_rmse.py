"""Count errors that weigh every class alike: mRMSE, m-relRMSE, their non-zero forms, and how much they vary."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .counting import _pair

FloatArray = NDArray[np.float64]
Rounding = Literal['half_even', 'half_away', 'none']
ROUNDINGS: tuple[Rounding, ...] = ('half_even', 'half_away', 'none')


def round_counts(pred: ArrayLike, rounding: Rounding = 'half_even', clamp: bool = False) -> FloatArray:
    """Whole objects from predicted counts, by the rule of a published protocol.

    ===================================  ========================================================================
    options                              protocol
    ===================================  ========================================================================
    ``'half_even'``                      Cholakkal et al.: NumPy's rounding, negative counts stay negative
    ``'half_away', clamp=True``          Chattopadhyay et al.: at least zero, then half away from zero
    ``'none'``                           the counts as they are
    ===================================  ========================================================================

    Args:
        pred: Predicted objects.
        rounding: Where a count half way between two whole numbers goes, or 'none'.
        clamp: Raise negative counts to zero, before rounding.

    Returns:
        Objects, of the shape of ``pred``.

    Raises:
        ValueError: There is no such rounding.

    Example:
        >>> round_counts([-0.6, 0.5, 2.5]).tolist()
        [-1.0, 0.0, 2.0]
        >>> round_counts([-0.6, 0.5, 2.5], 'half_away', clamp=True).tolist()
        [0.0, 1.0, 3.0]
    """
    array = np.asarray(pred, dtype=np.float64)
    if clamp:
        array = np.maximum(array, 0.0)
    if rounding == 'half_even':
        return np.round(array)
    if rounding == 'half_away':
        # Not floor(|x| + 0.5): for the number just below one half that sum is rounded up to 1.
        whole = np.trunc(array)
        return np.where(np.abs(array - whole) >= 0.5, whole + np.sign(array), whole)
    if rounding == 'none':
        return array
    raise ValueError(f'rounding must be one of {ROUNDINGS}, got {rounding!r}')


def mean_class_rmse(
    pred: ArrayLike,
    true: ArrayLike,
    relative: bool = False,
    nonzero: bool = False,
    rounding: Rounding = 'half_even',
    clamp: bool = False,
) -> float:
    """Mean over the classes of the RMSE of each class: mRMSE, m-relRMSE and their non-zero forms.

    Cholakkal et al., "Object Counting and Instance Segmentation with Image-level Supervision", section 5; the
    measures are those of Chattopadhyay et al., "Counting Everyday Objects in Everyday Scenes". A class without any
    image that holds it has no non-zero form; it is left out of the mean instead of turning everything into NaN.

    Args:
        pred: Predicted counts.
        true: True counts.
        relative: Divide every squared error by ``true + 1``.
        nonzero: Use, for each class, only the images that hold it.
        rounding: As of :func:`round_counts`.
        clamp: As of :func:`round_counts`.

    Returns:
        The mean in objects; NaN when no class has an image left.

    Shape:
        pred, true: (T, C), T >= 1.

    Raises:
        ValueError: The shapes differ or are not (T, C), a count is not finite, or there is no such rounding.

    Example:
        >>> mean_class_rmse([[1, 0], [3, 4]], [[1, 0], [1, 0]])  # (sqrt(4 / 2) + sqrt(16 / 2)) / 2
        2.121320343559643
    """
    pred_array, true_array = _classes(pred, true)
    squared = np.square(round_counts(pred_array, rounding, clamp) - true_array)
    if relative:
        squared = squared / (true_array + 1)
    kept = true_array != 0 if nonzero else np.ones_like(true_array, dtype=bool)
    images = kept.sum(axis=0)
    if not images.any():
        return float('nan')
    mean = (squared * kept).sum(axis=0)[images > 0] / images[images > 0]
    return float(np.sqrt(mean).mean())


def class_rmse_table(
    pred: ArrayLike, true: ArrayLike, rounding: Rounding = 'half_even', clamp: bool = False
) -> dict[str, float]:
    """mRMSE, mRMSE-nz, m-relRMSE and m-relRMSE-nz, as of :func:`mean_class_rmse`.

    Shape:
        pred, true: (T, C), T >= 1.

    Example:
        >>> table = class_rmse_table([[1, 0], [3, 4]], [[1, 0], [1, 0]])
        >>> {name: round(value, 3) for name, value in table.items()}
        {'mRMSE': 2.121, 'mRMSE-nz': 1.414, 'm-relRMSE': 1.914, 'm-relRMSE-nz': 1.0}
    """
    return {
        f'{"m-relRMSE" if relative else "mRMSE"}{"-nz" if nonzero else ""}': mean_class_rmse(
            pred, true, relative, nonzero, rounding, clamp
        )
        for relative in (False, True)
        for nonzero in (False, True)
    }


def resampled_std(
    measure: Callable[[FloatArray, FloatArray], Mapping[str, float]],
    pred: ArrayLike,
    true: ArrayLike,
    times: int = 10,
    share: float = 0.8,
    seed: int = 0,
) -> dict[str, float]:
    """Standard deviation of measures over random parts of the images.

    Chattopadhyay et al. tell the spread of their errors by ten samples of 80 % of the test images. Here each sample
    is drawn without repeating an image, and the deviation is that of the samples (divided by ``times - 1``). The
    samples overlap, so this is smaller than the deviation between independent test sets.

    Args:
        measure: Gives named numbers for the predicted and true counts of some images.
        pred: Predicted counts.
        true: True counts.
        times: Number of samples.
        share: Share of the images in each; at least one image.
        seed: Of the choice of images.

    Returns:
        A deviation for each name; NaN when a number does not exist for some sample.

    Shape:
        pred, true: (T, C), T >= 1.

    Raises:
        ValueError: An option is out of range, or the counts are not as of :func:`mean_class_rmse`.

    Example:
        >>> resampled_std(class_rmse_table, [[1.0]] * 5, [[0]] * 5)['mRMSE']
        0.0
    """
    pred_array, true_array = _classes(pred, true)
    if times < 2 or not 0 < share <= 1:
        raise ValueError(f'at least 2 samples of a share in (0, 1] are needed, got {times} of {share}')
    rng = np.random.default_rng(seed)
    images = len(pred_array)
    size = max(1, round(share * images))
    samples = [rng.choice(images, size, replace=False) for _ in range(times)]
    tables = [measure(pred_array[sample], true_array[sample]) for sample in samples]
    return {name: float(np.std([table[name] for table in tables], ddof=1)) for name in tables[0]}


def _classes(pred: ArrayLike, true: ArrayLike) -> tuple[FloatArray, FloatArray]:
    pred_array, true_array = _pair(pred, true)
    if pred_array.ndim != 2 or not pred_array.size:
        raise ValueError(f'counts must be (T, C) with T and C at least 1, got shape {pred_array.shape}')
    return pred_array, true_array
