"""The count of one box as digits, coarse to fine over the stages of a cascade (CLCNet), or as a plain number."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmcount.registry import CODECS

from .box_attribute import BoxAttributeCodec

SPREADS = ('even', 'published')


class BoxCountCodec(BoxAttributeCodec):
    """Base class of codecs of the number of objects in a box, at each stage of a cascade.

    Values are counts of at least 1, decoded as int64.

    Args:
        num_stages: N, stages that predict a count; the last one says the exact number.
        max_count: alpha, the largest count that is ever predicted; None for no limit.
    """

    def __init__(self, num_stages: int = 1, max_count: int | None = None) -> None:
        super().__init__(num_stages=num_stages)
        if max_count is not None and max_count < 1:
            raise ValueError(f'max_count must be at least 1, got {max_count}')
        self.max_count = max_count

    def _checked(self, counts: Tensor) -> Tensor:
        if counts.numel() and int(counts.min()) < 1:
            index = int(counts.argmin())
            raise ValueError(f'the count of a box must be at least 1, got {counts[index].item()} at index {index}')
        return counts if self.max_count is None else counts.clamp(max=self.max_count)


def digits_needed(max_count: int, base: int) -> int:
    """D, the smallest number of digits in ``base`` that can write ``max_count``.

    Example:
        >>> digits_needed(56, 2), digits_needed(63, 2), digits_needed(64, 2), digits_needed(56, 10)
        (6, 6, 7, 2)
    """
    digits, reach = 1, base
    while reach < max_count + 1:
        digits, reach = digits + 1, reach * base
    return digits


def digits_known(num_digits: int, num_stages: int, spread: str) -> list[int]:
    """How many of the leading digits each stage resolves; rises to ``num_digits``.

    'even' spreads them as evenly as can be; 'published' gives every stage but the first ceil(D / N) new digits.

    Raises:
        ValueError: A stage would have nothing to resolve.

    Example:
        >>> digits_known(7, 3, 'even'), digits_known(7, 3, 'published')
        ([2, 5, 7], [1, 4, 7])
    """
    if spread not in SPREADS:
        raise ValueError(f'spread must be one of {SPREADS}, got {spread!r}')
    if num_stages > num_digits:
        raise ValueError(f'{num_digits} digits cannot be shared by {num_stages} stages: each needs at least one')
    if spread == 'even':
        return [(2 * num_digits * (stage + 1) + num_stages) // (2 * num_stages) for stage in range(num_stages)]
    step = -(-num_digits // num_stages)
    first = num_digits - step * (num_stages - 1)
    if first < 1:
        raise ValueError(
            f'the published rule leaves {first} digits for the first of {num_stages} stages ({num_digits} digits, '
            f"{step} for each later stage); use spread='even' or fewer stages"
        )
    return [first + step * stage for stage in range(num_stages)]


@CODECS.register_module()
class DigitCodec(BoxCountCodec):
    """Counts to bins of their leading digits, and back.

    CLCNet: Cai et al., "Rethinking Object Detection in Retail Stores", AAAI 2021, the partition of the counts.

    Symbols: alpha ``max_count``, b ``base``, N ``num_stages``, D digits. Stage k knows the first K_k digits: it has
    b^K_k bins, and a count belongs to bin floor(count / b^(D - K_k)). The bin of the last stage is the count itself,
    so that its bin 0 and the bins above alpha stand for no count. The outputs of the stages are logits.

    ============= ============================ ====================
    alpha = 56    bins                         objects in a bin
    ============= ============================ ====================
    b = 2, N = 1  64                           1
    b = 2, N = 2  8, 64                        8, 1
    b = 2, N = 3  4, 16, 64                    16, 4, 1
    b = 2, N = 6  2, 4, 8, 16, 32, 64          32, 16, 8, 4, 2, 1
    b = 10, N = 2 10, 100                      10, 1
    ============= ============================ ====================

    Args:
        max_count: alpha. A larger count is taught as alpha, and none is predicted.
        base: b.
        num_stages: N.
        spread: How the digits are shared by the stages where N does not divide D, see :func:`digits_known`.
        exclude_impossible: Never predict 0 or a count above alpha. Without it the most likely bin is the count, as in
            the released code of the paper, whatever it is.

    Raises:
        ValueError: ``base`` is below 2, or the digits do not suffice for the stages.

    Example:
        >>> codec = DigitCodec(max_count=56, base=2, num_stages=3)
        >>> codec.bins, codec.divisors
        ((4, 16, 64), (16, 4, 1))
        >>> codec.encode(torch.tensor([1, 37])).tolist()
        [[0, 0, 1], [2, 9, 37]]
    """

    def __init__(
        self,
        max_count: int = 56,
        base: int = 10,
        num_stages: int = 1,
        spread: str = 'even',
        exclude_impossible: bool = True,
    ) -> None:
        super().__init__(num_stages=num_stages, max_count=max_count)
        if base < 2:
            raise ValueError(f'base must be at least 2, got {base}')
        self.base = base
        self.spread = spread
        self.exclude_impossible = exclude_impossible
        self.num_digits = digits_needed(max_count, base)
        try:
            known = digits_known(self.num_digits, num_stages, spread)
        except ValueError as error:
            raise ValueError(f'max_count={max_count}, base={base}, num_stages={num_stages}: {error}') from error
        self.bins = tuple(base**digits for digits in known)
        self.divisors = tuple(base ** (self.num_digits - digits) for digits in known)

    def channels(self, stage: int) -> int:
        """Bins of a stage."""
        return self.bins[stage]

    def encode(self, values: Tensor) -> Tensor:
        """The bin of each count at each stage.

        Args:
            values: (N,) int64 counts >= 1.

        Returns:
            (N, num_stages) int64.

        Raises:
            ValueError: A count is below 1.
        """
        divisors = torch.tensor(self.divisors, device=values.device)
        return torch.div(self._checked(values).long()[:, None], divisors, rounding_mode='floor')

    def decode(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """The most likely count and its probability.

        Args:
            output: (..., bins of the last stage) logits.

        Returns:
            (...,) int64 counts and (...,) float probabilities among the counts that may be predicted.
        """
        # An overflow in half precision is the largest logit, not a reason to predict no count at all.
        logits = output.float().nan_to_num()
        scores = logits.masked_fill(self._impossible(output.device), -torch.inf).softmax(dim=-1)
        best, counts = scores.max(dim=-1)
        return counts, best

    def fuse(self, outputs: Sequence[Tensor]) -> Tensor:
        """Average the log-probabilities that the stages give to each count, a coarse bin's to all counts in it.

        Args:
            outputs: One (..., bins) tensor of logits for each stage, of the same boxes.

        Returns:
            (..., bins of the last stage) logits.

        Raises:
            ValueError: Another number of stages or bins.
        """
        outputs = self._checked_outputs(outputs)
        counts = torch.arange(self.bins[-1], device=outputs[-1].device)
        known = [
            output.float().nan_to_num().log_softmax(dim=-1)[..., counts // divisor]
            for output, divisor in zip(outputs, self.divisors, strict=True)
        ]
        return torch.stack(known).mean(dim=0)

    def _impossible(self, device: torch.device) -> Tensor:
        """(bins of the last stage,) bool: bins that stand for no count."""
        counts = torch.arange(self.bins[-1], device=device)
        if not self.exclude_impossible:
            return torch.zeros_like(counts, dtype=torch.bool)
        return (counts < 1) | (counts > self.max_count)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(max_count={self.max_count}, base={self.base}, num_stages={self.num_stages}, '
            f'spread={self.spread!r}, exclude_impossible={self.exclude_impossible})'
        )


@CODECS.register_module()
class CountRegressionCodec(BoxCountCodec):
    """Counts as they are: every stage estimates the number itself (CLCNet-reg).

    The score of a decoded count is the estimate before rounding.

    Args:
        num_stages: N.
        max_count: Largest count that is taught or predicted; None for no limit.

    Example:
        >>> counts, estimates = CountRegressionCodec().decode(torch.tensor([[2.6], [-0.3]]))
        >>> counts.tolist()
        [3, 1]
    """

    is_classification = False

    def __init__(self, num_stages: int = 1, max_count: int | None = None) -> None:
        super().__init__(num_stages=num_stages, max_count=max_count)

    def channels(self, stage: int) -> int:
        """One number at every stage."""
        return 1

    def encode(self, values: Tensor) -> Tensor:
        """(N,) counts >= 1 -> (N, num_stages) float32, the same number at every stage.

        Raises:
            ValueError: A count is below 1.
        """
        return self._checked(values).float()[:, None].repeat(1, self.num_stages)

    def decode(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """(..., 1) estimates -> (...,) int64 counts, rounded and at least 1, and (...,) float estimates."""
        estimates = output.float().squeeze(-1)
        counts = estimates.nan_to_num(nan=1.0).clamp(1, self.max_count or 2**31).round().long()
        return counts, estimates

    def fuse(self, outputs: Sequence[Tensor]) -> Tensor:
        """Average the estimates of the stages.

        Raises:
            ValueError: Another number of stages.
        """
        return torch.stack(list(self._checked_outputs(outputs))).float().mean(dim=0)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_stages={self.num_stages}, max_count={self.max_count})'
