"""Options that configs of before still write, refused with what replaced them."""

from collections.abc import Mapping
from typing import Any


def refuse_moved(owner: str, options: Mapping[str, Any], moved: Mapping[str, str]) -> None:
    """Refuse options that a class does not have.

    Args:
        owner: Name of the class.
        options: The options that it did not recognise.
        moved: What replaced those that it once had.

    Raises:
        TypeError: There is any option; the message gives its replacement if it moved.

    Example:
        >>> refuse_moved('HaloCrop', dict(halo=32), dict(halo='give codec=...'))
        Traceback (most recent call last):
        TypeError: HaloCrop has no option 'halo' any more: give codec=...
    """
    for name in options:
        if name in moved:
            raise TypeError(f'{owner} has no option {name!r} any more: {moved[name]}')
        raise TypeError(f'{owner} has no option {name!r}')
