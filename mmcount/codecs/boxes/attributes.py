"""Other attributes of a box than its count: a number on a scale, or one of a few values."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmcount.registry import CODECS

from .box_attribute import BoxAttributeCodec


class _OneStageCodec(BoxAttributeCodec):
    """Base of the codecs of one output per box."""

    def __init__(self) -> None:
        super().__init__(num_stages=1)

    def fuse(self, outputs: Sequence[Tensor]) -> Tensor:
        """The only output."""
        return self._checked_outputs(outputs)[0]


@CODECS.register_module()
class ValueCodec(_OneStageCodec):
    """A continuous attribute of a box, such as a distance: the network estimates ``(value - mean) / std``.

    Args:
        mean: Value that an output of 0 stands for, in units of the attribute.
        std: Units of the attribute in an output of 1.
        value_range: Smallest and largest value that are predicted; None for no limit.

    Raises:
        ValueError: ``std`` is not positive, or the range is empty.

    Example:
        >>> codec = ValueCodec(mean=20.0, std=10.0, value_range=(0.0, 50.0))
        >>> codec.encode(torch.tensor([25.0])).tolist(), codec.decode(torch.tensor([[0.5], [9.0]]))[0].tolist()
        ([[0.5]], [25.0, 50.0])
    """

    is_classification = False

    def __init__(self, mean: float = 0.0, std: float = 1.0, value_range: tuple[float, float] | None = None) -> None:
        super().__init__()
        if not std > 0:
            raise ValueError(f'std must be positive, got {std}')
        if value_range is not None and not value_range[0] < value_range[1]:
            raise ValueError(f'value_range must be (smallest, largest), got {value_range}')
        self.mean, self.std = mean, std
        self.value_range = None if value_range is None else (float(value_range[0]), float(value_range[1]))

    def channels(self, stage: int) -> int:
        """One number."""
        return 1

    def encode(self, values: Tensor) -> Tensor:
        """(N,) values -> (N, 1) float32 targets.

        Raises:
            ValueError: A value is not finite.
        """
        values = values.float()
        if not bool(values.isfinite().all()):
            index = int((~values.isfinite()).nonzero()[0])
            raise ValueError(f'the value of a box must be finite, got {values[index].item()} at index {index}')
        return ((values - self.mean) / self.std)[:, None]

    def decode(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """(..., 1) outputs -> (...,) float values, and (...,) scores, which are all 1: an estimate says no chance."""
        values = output.float().squeeze(-1) * self.std + self.mean
        if self.value_range is not None:
            values = values.clamp(*self.value_range)
        return values, torch.ones_like(values)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(mean={self.mean}, std={self.std}, value_range={self.value_range})'


@CODECS.register_module()
class LabelCodec(_OneStageCodec):
    """An attribute of a box with the values 0..K-1, such as a grade of severity.

    Args:
        num_values: K.

    Raises:
        ValueError: K is below 2.

    Example:
        >>> values, scores = LabelCodec(num_values=3).decode(torch.tensor([[0.0, 9.0, 0.0]]))
        >>> values.tolist()
        [1]
    """

    def __init__(self, num_values: int) -> None:
        super().__init__()
        if num_values < 2:
            raise ValueError(f'num_values must be at least 2, got {num_values}')
        self.num_values = num_values

    def channels(self, stage: int) -> int:
        """K."""
        return self.num_values

    def encode(self, values: Tensor) -> Tensor:
        """(N,) integers in 0..K-1 -> (N, 1) int64 targets.

        Raises:
            ValueError: A value is outside of 0..K-1.
        """
        bad = ((values < 0) | (values >= self.num_values)).nonzero()
        if len(bad):
            index = int(bad[0])
            raise ValueError(
                f'the value of a box must be in 0..{self.num_values - 1}, got {values[index].item()} at index {index}'
            )
        return values.long()[:, None]

    def decode(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """(..., K) logits -> (...,) int64 values and (...,) float probabilities."""
        scores, values = output.float().softmax(dim=-1).max(dim=-1)
        return values, scores

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_values={self.num_values})'
