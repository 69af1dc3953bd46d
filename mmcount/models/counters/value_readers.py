"""Models that read values, such as counts, off the boxes of a detector."""

from typing import Protocol, runtime_checkable

from mmdet.structures import DetDataSample
from torch import Tensor, nn

from mmcount.codecs import BoxAttributeCodec
from mmcount.structures import CountDataSample


@runtime_checkable
class ValueReader(Protocol):
    """A model that writes a value of every box: ``attribute`` and ``score_name`` are fields of ``pred_instances``."""

    attribute: str

    @property
    def score_name(self) -> str:
        """Field of ``pred_instances`` that holds the scores of the values."""

    @property
    def codec(self) -> BoxAttributeCodec:
        """Meaning of the values."""

    def write_values(self, sample: CountDataSample, values: Tensor, scores: Tensor) -> None:
        """Write (N,) values and scores of the boxes of an image, with what follows from them."""


def value_readers(model: nn.Module) -> list[ValueReader]:
    """The readers among nested models, from the innermost to ``model``.

    Example:
        >>> value_readers(nn.Linear(1, 1))
        []
    """
    inner = getattr(model, 'detector', None)
    readers = value_readers(inner) if isinstance(inner, nn.Module) else []
    return [*readers, model] if isinstance(model, ValueReader) else readers


def counted_sample(sample: DetDataSample) -> CountDataSample:
    """A sample for predictions with counts: of our type, and without those of an earlier prediction."""
    if not isinstance(sample, CountDataSample):
        return CountDataSample(metainfo=sample.metainfo, **{k: v for k, v in sample.items() if k != 'pred_instances'})
    if sample.get('pred_instances') is not None:
        del sample.pred_instances
    return sample
