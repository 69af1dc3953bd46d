"""Base class of codecs of an attribute of a box: values to targets, outputs to values."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor


class BoxAttributeCodec(ABC):
    """Base class of codecs of an attribute of a box, such as its count, at each stage of a network.

    Args:
        num_stages: N, stages that predict the attribute; the last one says its value.

    Attributes:
        is_classification: Whether a stage scores bins; otherwise it estimates a number.
    """

    is_classification: bool = True

    def __init__(self, num_stages: int = 1) -> None:
        if num_stages < 1:
            raise ValueError(f'num_stages must be at least 1, got {num_stages}')
        self.num_stages = num_stages

    @abstractmethod
    def channels(self, stage: int) -> int:
        """Numbers that stage ``stage`` (from 0) predicts for a box."""

    @abstractmethod
    def encode(self, values: Tensor) -> Tensor:
        """(N,) values -> (N, num_stages) targets: int64 bins, or float32 numbers."""

    @abstractmethod
    def decode(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """(..., channels) output of the last stage -> (...,) values and (...,) float scores."""

    @abstractmethod
    def fuse(self, outputs: Sequence[Tensor]) -> Tensor:
        """The outputs of all stages for the same boxes as one output of the last stage."""

    def _checked_outputs(self, outputs: Sequence[Tensor]) -> Sequence[Tensor]:
        found = [output.shape[-1] for output in outputs]
        expected = [self.channels(stage) for stage in range(self.num_stages)]
        if found != expected:
            raise ValueError(f'expected the outputs of {self.num_stages} stages with {expected} channels, got {found}')
        return outputs
