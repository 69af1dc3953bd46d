"""Options of MNIST-LEGO scenes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from .background import BACKGROUNDS
from .classes import LegoClass, class_table, single_digit_classes

__all__ = ['CLASS_MODES', 'INKS', 'KINDS', 'SceneOptions']

KINDS = ('triple', 'single')
CLASS_MODES = ('one', 'mixed')
INKS = ('lightest', 'last')


@dataclass(frozen=True)
class SceneOptions:
    """Everything that can be chosen about scenes.

    The data set of the Point-and-Count work is described there only in outline; numbers below are our choice.

    Args:
        canvas: Height and width of the image in pixels.
        layout: ``'triple'`` for the 100 classes of three digits, ``'single'`` for single digits.
        classes: Ids that may appear (of the 100 classes, or digits); None for all. Labels are positions in this list.
        merge_classes: Give all objects label 0; the class is called ``digit`` or ``object``.
        class_mode: ``'one'`` class per scene or ``'mixed'``.
        classes_per_scene: Inclusive range of the number of classes that a mixed scene draws from; None for all.
        num_objects: Wanted number of objects, exactly or as an inclusive range.
        num_objects_choices: Explicit wanted numbers, drawn with equal chance; replaces ``num_objects``.
        empty_prob: Chance that a scene holds background only, on top of wanted numbers that are zero.
        part_size: Side of a digit in pixels before scaling.
        scale_range: Range of the size factor of an object.
        orient_range: Range of the rotation of an object in degrees, counter-clockwise on the screen.
        part_scale_range: Range of the size factor of each digit inside its object.
        part_shear: Largest horizontal shear of a digit, either way.
        gain_range: Range of the brightness of an object.
        light_ramp: Relative change of brightness from the middle of an object to its edge, along a random direction.
        background: ``'photo'``, ``'noise'`` (1/f) or ``'black'``.
        background_level: Brightness of the lightest background pixel. Digits are lighter than their background by
            design; from 0.6 on, dim ones drown in bright sky.
        max_overlap: Largest allowed intersection of two boxes as a share of the smaller box. Members of one stack are
            free of it.
        min_gap: Smallest distance in pixels between boxes, horizontally or vertically; 0 leaves it to ``max_overlap``.
        retries: Positions tried for an object before it is left out.
        center_jitter: Put objects at the centre of the canvas, moved by up to this many pixels; None for anywhere.
        stack_prob: Chance that a placed object starts a stack of its class.
        stack_size: Range of the number of objects in a stack, the first included.
        stack_shift: Range of the distance between neighbours in a stack, in units of the box of the first one.
        stack_angles: Directions in which stacks grow, in degrees counter-clockwise on the screen from the right, drawn
            with equal chance; (0, 90, 180, 270) gives rows and columns as on shelves. None for any direction.
        stack_turn: Largest deviation of a member from the direction of its stack in degrees.
        ink: What shows where objects overlap: ``'lightest'`` of all, or that of the ``'last'``, which hides those
            drawn before it and darkens a rim of one pixel around itself, so that stacked objects stay apart.
        group_overlap: Objects of one class whose boxes intersect in more than this share of the smaller box are
            annotated as one group, and so are chains of them. 0 joins all objects that overlap.

    Raises:
        ValueError: An option is out of range, or the largest object does not fit the canvas.
    """

    canvas: tuple[int, int] = (128, 128)
    layout: str = 'triple'
    classes: Sequence[int] | None = None
    merge_classes: bool = False
    class_mode: str = 'one'
    classes_per_scene: tuple[int, int] | None = None
    num_objects: int | tuple[int, int] = (1, 4)
    num_objects_choices: Sequence[int] | None = None
    empty_prob: float = 0.0
    part_size: float = 20.0
    scale_range: tuple[float, float] = (0.7, 1.3)
    orient_range: tuple[float, float] = (-15.0, 15.0)
    part_scale_range: tuple[float, float] = (0.9, 1.1)
    part_shear: float = 0.1
    gain_range: tuple[float, float] = (0.75, 1.0)
    light_ramp: float = 0.3
    background: str = 'photo'
    background_level: float = 0.4
    max_overlap: float = 0.05
    min_gap: float = 0.0
    retries: int = 50
    center_jitter: float | None = None
    stack_prob: float = 0.0
    stack_size: tuple[int, int] = (2, 4)
    stack_shift: tuple[float, float] = (0.2, 0.4)
    stack_angles: Sequence[float] | None = None
    stack_turn: float = math.degrees(0.3)
    ink: str = 'lightest'
    group_overlap: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        if isinstance(self.num_objects, int):
            object.__setattr__(self, 'num_objects', (self.num_objects, self.num_objects))
        self._check_choices()
        self._check_numbers()
        self._check_fit()

    def _check_choices(self) -> None:
        allowed = {'layout': KINDS, 'class_mode': CLASS_MODES, 'background': BACKGROUNDS, 'ink': INKS}
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f'{name} must be one of {values}, got {getattr(self, name)!r}')
        if self.classes is not None:
            total = 100 if self.layout == 'triple' else 10
            ids = list(self.classes)
            if not ids or len(set(ids)) != len(ids) or not all(0 <= i < total for i in ids):
                raise ValueError(
                    f'classes must be distinct ids in 0..{total - 1} for layout={self.layout!r}, got {ids}'
                )

    def _check_numbers(self) -> None:
        if len(self.canvas) != 2 or min(self.canvas) < 1:
            raise ValueError(f'canvas must be (height, width) in pixels, got {self.canvas}')
        # Name -> bounds; a range must rise and lie inside, a number must lie inside.
        bounds = {
            'num_objects': (0, math.inf), 'scale_range': (0.05, 100), 'orient_range': (-360, 360),
            'part_scale_range': (0.1, 10), 'gain_range': (0.05, 1), 'stack_size': (2, math.inf),
            'stack_shift': (0, 10), 'empty_prob': (0, 1), 'part_size': (2, 10_000), 'part_shear': (0, 1),
            'light_ramp': (0, 0.9), 'background_level': (0, 1), 'max_overlap': (0, 1), 'min_gap': (0, math.inf),
            'retries': (1, 100_000), 'stack_prob': (0, 1), 'group_overlap': (0, 1),
            'stack_turn': (0, 180),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            ends = value if isinstance(value, tuple) else (value, value)
            if len(ends) != 2 or not low <= ends[0] <= ends[1] <= high:
                wanted = 'a rising (low, high) range' if isinstance(value, tuple) else 'a number'
                raise ValueError(f'{name} must be {wanted} in {low}..{high}, got {value}')
        if self.num_objects_choices is not None and (
            len(self.num_objects_choices) == 0 or min(self.num_objects_choices) < 0
        ):
            raise ValueError(f'num_objects_choices must be one or more numbers >= 0, got {self.num_objects_choices}')
        if self.stack_angles is not None and (
            len(self.stack_angles) == 0 or not all(math.isfinite(angle) for angle in self.stack_angles)
        ):
            raise ValueError(f'stack_angles must be None or one or more finite degrees, got {self.stack_angles}')
        if self.classes_per_scene is not None:
            if self.class_mode != 'mixed':
                raise ValueError(f"classes_per_scene needs class_mode='mixed', got {self.class_mode!r}")
            if len(self.classes_per_scene) != 2 or not (
                1 <= self.classes_per_scene[0] <= self.classes_per_scene[1] <= len(self.lego_classes)
            ):
                raise ValueError(
                    f'classes_per_scene must be a rising range in 1..{len(self.lego_classes)}, '
                    f'got {self.classes_per_scene}'
                )
        if self.center_jitter is not None and self.center_jitter < 0:
            raise ValueError(f'center_jitter must be None or >= 0 pixels, got {self.center_jitter}')

    def _check_fit(self) -> None:
        """Refuse settings under which some object could never be placed, instead of losing it silently."""
        height, width = self.largest_object()
        if height > self.canvas[0] or width > self.canvas[1]:
            raise ValueError(
                f'objects of up to {height}x{width} px (height x width) do not fit the canvas '
                f'{self.canvas[0]}x{self.canvas[1]}; lower part_size, scale_range or orient_range, or enlarge canvas'
            )

    def largest_object(self) -> tuple[int, int]:
        """Upper bound of the height and width of an object in pixels."""
        # A tenth more than the nominal part, because interpolation of coarse digits leaves a rim of ink.
        half = 0.55 * self.part_scale_range[1]
        low, high = self.orient_range
        angles = [math.radians(low + (high - low) * step / 32) for step in range(33)]
        extent_x = extent_y = 0.0
        for offsets in {kind.offsets for kind in self.lego_classes}:
            # The corners of the sheared squares around all parts bound every ink pixel.
            corners = [
                (x + sx * (half + self.part_shear * half), y + sy * half)
                for x, y in offsets
                for sx in (-1, 1)
                for sy in (-1, 1)
            ]
            for angle in angles:
                cos, sin = math.cos(angle), math.sin(angle)
                xs = [cos * x + sin * y for x, y in corners]
                ys = [cos * y - sin * x for x, y in corners]
                extent_x = max(extent_x, max(xs) - min(xs))
                extent_y = max(extent_y, max(ys) - min(ys))
        size = self.part_size * self.scale_range[1]
        return math.ceil(extent_y * size) + 1, math.ceil(extent_x * size) + 1

    @property
    def lego_classes(self) -> tuple[LegoClass, ...]:
        """The classes that may appear, in the order of their labels before merging."""
        table = class_table() if self.layout == 'triple' else single_digit_classes()
        return table if self.classes is None else tuple(table[i] for i in self.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the object labels."""
        if self.merge_classes:
            return ('digit',) if self.layout == 'single' else ('object',)
        return tuple(kind.name for kind in self.lego_classes)
