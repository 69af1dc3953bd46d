"""Cells of tables that spreadsheets would run."""

__all__ = ['plain_text', 'safe_cell']

_STARTS = ('=', '+', '-', '@', '\t', '\r')
_QUOTE = "'"


def _is_formula(text: str) -> bool:
    return text.lstrip(_QUOTE).startswith(_STARTS)


def safe_cell(text: str) -> str:
    """A name or message as a cell of a table: with a quote in front if a spreadsheet would take it for a formula.

    For text that users or files give, not for numbers, whose sign would be quoted.

    Example:
        >>> safe_cell('=1+1'), safe_cell('a-1.png')
        ("'=1+1", 'a-1.png')
    """
    return _QUOTE + text if _is_formula(text) else text


def plain_text(cell: str) -> str:
    """The text that :func:`safe_cell` made a cell of.

    Example:
        >>> plain_text("'=1"), plain_text("'a")
        ('=1', "'a")
    """
    return cell.removeprefix(_QUOTE) if _is_formula(cell) else cell
