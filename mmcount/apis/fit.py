"""A line from a model's counts to true ones, fitted on a few labelled images and saved as a model of one's own."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from mmcount.datasets.formats.counts_table import read_counts_csv
from mmcount.datasets.formats.points_table import read_points_csv
from mmcount.datasets.formats.tables import ImageRows, read_text
from mmcount.models.layers.count_calibration import CountCalibration, fit_line
from mmcount.utils.atomic import write_atomic
from mmcount.utils.errors import AnnotationError, did_you_mean
from mmcount.zoo import Figure, ModelCard, write_model
from mmcount.zoo.export import model_config

from . import model_info
from .fine_tune import fine_tune
from .inferencer import CountInferencer
from .inputs import ImageInput, InputList
from .weights import file_sha256

#: Two numbers are fitted for each class, and at least one image has to be left to see whether they hold.
LEAST_IMAGES = 3


@dataclass(frozen=True)
class LineFit:
    """Errors with a fitted line.

    Args:
        images: Labelled images.
        lines: (scale, offset) of each class: true = scale * counted + offset.
        error_before: Mean absolute error of the raw counts of all classes, objects.
        error_after: That of each image by the line of the others (leave one out).
    """

    images: int
    lines: dict[str, tuple[float, float]]
    error_before: float
    error_after: float

    def summary(self) -> str:
        """The fit in one line.

        Example:
            >>> LineFit(8, {'cell': (1.25, 3.0)}, 34.1, 9.5).summary()
            'line on 8 images: cell = 1.25 x counted + 3; mean error 34.1 before, 9.5 on images left out of the fit'
        """
        lines = ', '.join(
            f'{name} = {scale:.3g} x counted {"-" if offset < 0 else "+"} {abs(offset):.3g}'
            for name, (scale, offset) in self.lines.items()
        )
        return (
            f'line on {self.images} images: {lines}; mean error {self.error_before:.3g} before, '
            f'{self.error_after:.3g} on images left out of the fit'
        )


def read_counts(path: str | Path, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read how many objects images hold.

    Args:
        path: Table ``image,count``, ``image,class,count``, a column for each class, or points ``image,x,y[,class]``.
        classes: The C classes of the model; a table without classes is for a model with one.

    Returns:
        Name of the image to (C,) counts.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: A line is wrong; says which.
    """
    file = str(path)
    table: ImageRows
    if _has_points(read_text(file, 'table of labels')):
        table = read_points_csv(file)
        numbers = np.ones(len(table.images))
    else:
        counted = read_counts_csv(file, None if len(classes) == 1 else classes)
        table, numbers = counted, counted.counts
    names = table.classes
    if len(classes) > 1 and names is None:
        raise AnnotationError(f'expected a class column: the model counts {", ".join(classes)}', file, 1)
    if len(classes) == 1 and names is not None and len(set(names)) > 1:
        raise AnnotationError(
            f'expected one class, as the model has, found {", ".join(sorted(set(names or ())))}', file
        )
    found: dict[str, np.ndarray] = {}
    for row, image in enumerate(table.images):
        label = 0
        if names is not None and len(classes) > 1:
            if names[row] not in classes:
                hint = did_you_mean(names[row], classes)
                known = ', '.join(classes)
                raise AnnotationError(
                    f'class {names[row]!r} is none of the model{hint}; it counts {known}', file, table.lines[row]
                )
            label = classes.index(names[row])
        found.setdefault(image, np.zeros(len(classes)))[label] += numbers[row]
    return found


def _has_points(text: str) -> bool:
    header = text.lstrip('\ufeff \n').splitlines()[0].lower()
    columns = {cell.strip(' "') for separator in ',;\t' for cell in header.split(separator)}
    return {'x', 'y'} <= columns


def find_images(names: Sequence[str], folders: Sequence[str | Path], labels: str | Path) -> InputList:
    """The files of labelled images, looked for in one folder after the other.

    Raises:
        FileNotFoundError: A file is in none of them.
    """
    items = []
    for name in names:
        places = [os.path.join(folder, name) for folder in folders]
        path = next((place for place in places if os.path.isfile(place)), None)
        if path is None:
            raise FileNotFoundError(f'{labels}: image {name!r} is in none of {[str(folder) for folder in folders]}')
        items.append(ImageInput(name, os.path.abspath(path)))
    return InputList(items)


def fit_counts(
    inferencer: CountInferencer,
    labels: str | Path,
    folders: Sequence[str | Path] = (),
    fine_tuning_steps: int = 0,
    **options: Any,
) -> LineFit:
    """Fit a line on labelled images; the inferencer gives calibrated counts from then on.

    There is no interval: so few images cannot say how wide it has to be. With fine-tuning, every other image is trained
    on, and the line is fitted on those that were not.

    Args:
        inferencer: Its model is changed.
        labels: See :func:`read_counts`.
        folders: Where the images are, beside the folder of ``labels``.
        fine_tuning_steps: Batches that the model is trained on first, see :func:`mmcount.apis.fine_tune.fine_tune`.
        **options: As of :meth:`CountInferencer.iterate`, the same as later.

    Raises:
        FileNotFoundError: Labels or an image are missing.
        ValueError: The model has no calibration, there are too few images, one cannot be counted, or fine-tuning needs
            points or a model that says how it is trained.
    """
    if not isinstance(getattr(inferencer.model, 'calibration', None), CountCalibration):
        kind = type(inferencer.model).__name__
        raise ValueError(f'{inferencer.model_name} ({kind}) has no line that could be fitted')
    truth = read_counts(labels, inferencer.classes)
    least = LEAST_IMAGES * (2 if fine_tuning_steps else 1)
    if len(truth) < least:
        what = 'training and a line need' if fine_tuning_steps else 'a line needs'
        raise ValueError(f'{labels}: {what} at least {least} labelled images, found {len(truth)}')
    items = find_images(list(truth), [Path(labels).parent, *folders], labels)
    if fine_tuning_steps:
        if not _has_points(read_text(str(labels), 'table of labels')):
            raise ValueError(f'{labels}: training needs points, with columns image,x,y; counts give a line only')
        fine_tune(inferencer, labels, {one.name: str(one.path) for one in items[::2]}, fine_tuning_steps)
        items = InputList(items[1::2])
        truth = {one.name: truth[one.name] for one in items}
    calibration = inferencer.model.calibration
    counted = []
    for result in inferencer.iterate(items, return_density=False, **options):
        if result.error is not None:
            raise ValueError(f'{labels}: image {result.image!r} cannot be counted: {result.error}')
        counted.append([result.counts[name] for name in inferencer.classes])
    predicted, true = np.array(counted), np.array(list(truth.values()))
    calibration.fit(predicted, true, None)
    lines = {
        name: (float(calibration.scale[index]), float(calibration.offset[index]))
        for index, name in enumerate(inferencer.classes)
    }
    before = float(np.abs(predicted.sum(axis=1) - true.sum(axis=1)).mean())
    return LineFit(len(true), lines, before, leave_one_out_error(predicted, true))


def leave_one_out_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """Mean absolute error of the total of each image by the lines of the other images.

    Args:
        predicted: (n, C) counts.
        true: (n, C) counts.

    Example:
        >>> leave_one_out_error(np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [4.0], [6.0]])) < 1e-9
        True
    """
    errors = []
    for left_out in range(len(true)):
        kept = np.arange(len(true)) != left_out
        estimate = 0.0
        for column in range(true.shape[1]):
            scale, offset = fit_line(predicted[kept, column], true[kept, column])
            estimate += max(0.0, scale * predicted[left_out, column] + offset)
        errors.append(abs(estimate - true[left_out].sum()))
    return float(np.mean(errors))


def save_fitted(inferencer: CountInferencer, path: str | Path, fit: LineFit) -> None:
    """Save a model with its fitted line as a model of one's own; results name it from then on.

    Args:
        inferencer: Fitted by :func:`fit_counts`.
        path: ``*.safetensors`` for a model that came as such, else ``*.pth``.
        fit: What is noted beside it.

    Raises:
        ValueError: The suffix is another one, or the model is random.
    """
    path, source = Path(path), inferencer.source
    if source.checkpoint is None:
        raise ValueError('the model is random: nothing to save')
    state = {**source.checkpoint.get('state_dict', source.checkpoint)}
    for name, value in inferencer.model.calibration.state_dict().items():
        state[f'calibration.{name}'] = value.detach().cpu()
    if path.suffix == '.safetensors':
        precision = 'float16' if source.card is None else source.card.precision
        write_model(path, _model_config(inferencer), state, _card(inferencer, path, fit), precision)
    elif path.suffix == '.pth':
        cfg = source.cfg if isinstance(source.cfg, Config) else Config(source.cfg)
        meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=inferencer.classes))
        stream = io.BytesIO()
        torch.save(dict(state_dict=state, meta=meta), stream)
        write_atomic(path, stream.getvalue())
    else:
        raise ValueError(f'a model is saved as .safetensors or .pth, got {str(path)!r}')
    inferencer.rename(path.stem, file_sha256(path))


def _model_config(inferencer: CountInferencer) -> dict[str, Any]:
    """What a model file holds of a config."""
    cfg = dict(inferencer.source.cfg.items())
    cfg.setdefault('test_pipeline', model_info.test_dataset(inferencer.source.cfg).get('pipeline'))
    return model_config(Config(cfg), inferencer.classes)


def _card(inferencer: CountInferencer, path: Path, fit: LineFit) -> ModelCard:
    base = inferencer.source.card or ModelCard(path.stem, inferencer.model_name, inferencer.classes)
    note = f'{base.summary.rstrip(".")}; line fitted on {fit.images} labelled images'
    figure = Figure(f'{fit.images} labelled images, each left out once', 'MAE', round(fit.error_after, 3))
    return replace(base, name=path.stem, summary=note, figures=(*base.figures, figure))
