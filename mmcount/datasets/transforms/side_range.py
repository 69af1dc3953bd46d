"""Resizing into a range of side lengths, as crowd counters prepare their data sets."""

from typing import Any

from mmcount.registry import TRANSFORMS

from .crowd import ResizeByRule, Size

Range = tuple[float | None, float | None]


@TRANSFORMS.register_module()
class ResizeToSideRange(ResizeByRule):
    """Resize an image whose shorter or longer side is out of range; others keep their size.

    The aspect ratio stays, but for rounding. If both ranges cannot hold, the longer side keeps its range and the
    shorter one is stretched to its least length. In tests, load annotations after it: they stay in pixels of the
    file, and so do predictions.

    Args:
        short: (smallest, largest) length of the shorter side, px; None for no limit.
        long: Of the longer side.
        divisor: Both sides are rounded down to multiples of it.
        **kwargs: As :class:`ResizeByRule`.

    Raises:
        ValueError: A range is empty or not positive, or ``divisor`` is below 1.

    Example:
        >>> transform = ResizeToSideRange(long=(None, 1408))
        >>> transform.new_size((1000, 1200)), transform.new_size((2112, 2816))
        ((1000, 1200), (1056, 1408))
        >>> transform = ResizeToSideRange(short=(384, None), long=(1920, 1920), divisor=16)
        >>> transform.new_size((600, 800)), transform.new_size((300, 1800))
        ((1440, 1920), (384, 1920))
    """

    def __init__(
        self, short: Range = (None, None), long: Range = (None, None), divisor: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for name, limits in (('short', short), ('long', long)):
            low, high = limits
            if (low is not None and low <= 0) or (high is not None and high < (low or 1)):
                raise ValueError(f'{name} must be (smallest, largest) positive lengths or None, got {tuple(limits)}')
        if divisor < 1:
            raise ValueError(f'divisor must be at least 1, got {divisor}')
        self.short, self.long = tuple(short), tuple(long)
        self.divisor = divisor

    def new_size(self, size: Size) -> Size:
        """(height, width) of an image to what it becomes."""
        factor = 1.0
        for side, (low, high) in ((min(size), self.short), (max(size), self.long)):
            if low is not None:
                factor = max(factor, low / side)
            if high is not None:
                factor = min(factor, high / side)
        least = int(self.short[0] or 1)
        # A product such as 2112 * (1408 / 2816) may be a rounding error below a whole number.
        height, width = (
            max(int(side * factor + 1e-6) // self.divisor * self.divisor, least, self.divisor) for side in size
        )
        return height, width

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(short={self.short}, long={self.long}, divisor={self.divisor}, '
            f'backend={self.backend!r}, interpolation={self.interpolation!r})'
        )
