"""Description of a model that travels in its file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ['Figure', 'ModelCard']


@dataclass(frozen=True)
class Figure:
    """One measured result.

    Args:
        data: Data that it was measured on.
        metric: Name of the metric.
        value: Its value.
        condition: Anything else that it depends on.
    """

    data: str
    metric: str
    value: float
    condition: str = ''


@dataclass(frozen=True)
class ModelCard:
    """Description of a model: what it counts, what it was trained on, what was measured.

    Args:
        name: Name by which it is loaded.
        summary: One line on what it counts.
        classes: Names of the C classes.
        recipe: Name of the config that trains it.
        object_size: Smallest and largest diameter in px of the objects that it was trained on; None if not stated.
        precision: Type of the stored weights, see :data:`mmcount.zoo.PRECISIONS`.
        good_for: Images that it is meant for.
        not_good_for: Images that it fails on.
        figures: Measured results.
        license: License of the weights.

    Example:
        >>> card = ModelCard('cells', 'Cells', ('cell',), figures=(Figure('own scenes', 'MAE', 1.5),))
        >>> ModelCard.from_dict(card.to_dict()) == card
        True
    """

    name: str
    summary: str
    classes: tuple[str, ...]
    recipe: str = ''
    object_size: tuple[float, float] | None = None
    precision: str = 'float16'
    good_for: str = ''
    not_good_for: str = ''
    figures: tuple[Figure, ...] = ()
    license: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Return it as data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> 'ModelCard':
        """Read it from the data of :meth:`to_dict`.

        Raises:
            ValueError: An entry is missing, unknown or of the wrong kind.
        """
        known = {field.name for field in fields(cls)}
        unknown, missing = sorted(set(values) - known), sorted({'name', 'summary', 'classes'} - set(values))
        if unknown or missing:
            raise ValueError(f'a model card needs name, summary and classes: missing {missing}, unknown {unknown}')
        classes, size = values['classes'], values.get('object_size')
        if not isinstance(classes, (list, tuple)) or not classes or not all(isinstance(one, str) for one in classes):
            raise ValueError(f'classes of a model card must be a list of names, got {classes!r}')
        if size is not None and (len(size) != 2 or not 0 < size[0] <= size[1]):
            raise ValueError(f'object_size of a model card must be two rising diameters in px, got {size!r}')
        try:
            figures = tuple(Figure(**one) for one in values.get('figures', ()))
        except TypeError as error:
            raise ValueError(f'figures of a model card need data, metric and value: {error}') from error
        size = None if size is None else (float(size[0]), float(size[1]))
        return cls(**{**values, 'classes': tuple(classes), 'object_size': size, 'figures': figures})
