"""Errors of the user that are told in one line: a place in an annotation file, or an option that is wrong."""

from collections.abc import Iterable
from difflib import get_close_matches


class AnnotationError(ValueError):
    """An annotation file, or one line of it, is not what it should be.

    Args:
        message: What was found and what was expected.
        file: The offending file.
        line: 1-based line number, where the format has lines.

    Example:
        >>> raise AnnotationError("x is 'abc', expected a number", file='points.csv', line=3)
        Traceback (most recent call last):
            ...
        mmcount.utils.errors.AnnotationError: points.csv, line 3: x is 'abc', expected a number
    """

    def __init__(self, message: str, file: str = '', line: int | None = None) -> None:
        self.message = message
        self.file = str(file)
        self.line = line
        where = self.file if line is None else f'{self.file}, line {line}'
        super().__init__(f'{where}: {message}' if where else message)

    def __reduce__(self) -> tuple:
        """Keep ``file`` and ``line`` when the error crosses a process border (data loader workers)."""
        return type(self), (self.message, self.file, self.line)


class SettingError(ValueError):
    """An option that cannot be honoured: a device that is absent, a file that cannot be written, a wrong value."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint with the nearest known name, or an empty string.

    Example:
        >>> did_you_mean('img1.jpg', ['img_1.jpg', 'z.png'])
        "; did you mean 'img_1.jpg'?"
    """
    names = list(known)
    same = [other for other in names if other.lower() == name.lower()]
    matches = same or get_close_matches(name, names, n=1)
    return f'; did you mean {matches[0]!r}?' if matches else ''
