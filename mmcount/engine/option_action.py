"""Overrides of configs as they are typed: ``key=value``."""

import argparse
import ast
from typing import Any

__all__ = ['OptionAction', 'parse_value']

WORDS = {'true': True, 'false': False, 'none': None}


class OptionAction(argparse.Action):
    """Collect ``key=value`` arguments as a dict of strings; :func:`read_config` gives them their types."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        """Add the pairs to those of earlier uses of the option."""
        options = dict(getattr(namespace, self.dest) or {})
        for pair in values:
            key, equals, value = pair.partition('=')
            if not key or not equals:
                parser.error(f'{option_string} expects key=value, got {pair!r}')
            options[key] = value
        setattr(namespace, self.dest, options)


def _parts(text: str) -> list[str]:
    """Split at the commas that are outside of brackets and quotes."""
    parts, depth, quote, start = [], 0, '', 0
    for index, char in enumerate(text):
        if quote:
            quote = '' if char == quote else quote
        elif char in '\'"':
            quote = char
        elif char in '([{':
            depth += 1
        elif char in ')]}':
            depth -= 1
        elif char == ',' and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _parse(text: str, split: bool) -> Any:
    """Read a number, a word, a list or a string; ``split`` lets commas without brackets make a list."""
    text = text.strip() if split else text
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        pass
    else:
        return list(value) if isinstance(value, tuple) and not text.strip().startswith('(') else value
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    inner = text.strip()
    if inner[:1] + inner[-1:] in ('[]', '()'):
        values = [_parse(part, True) for part in _parts(inner[1:-1])]
        return tuple(values) if inner[0] == '(' else values
    if split and ',' in text:
        return [_parse(part, True) for part in _parts(text)]
    return text


def parse_value(text: str, current: Any = None) -> Any:
    """Give a string of the command line the type of the value that it replaces.

    Args:
        text: The value as it was typed.
        current: The value that it replaces. For a string the text arrives as it is, blanks and commas included, without
            one pair of quotes around it; for a list or tuple ``a,b`` is a list or tuple, and a single name a list of
            one where the list holds names; else numbers, ``true``, ``None`` and bracketed lists are read.

    Example:
        >>> parse_value('/data/my cells, day 2/', 'data/')
        '/data/my cells, day 2/'
        >>> parse_value('live,dead', ('object',)), parse_value('cell', ('object',)), parse_value('300', 1500)
        (('live', 'dead'), ('cell',), 300)
    """
    if isinstance(current, str):
        if text == 'None':
            return None
        quoted = len(text) > 1 and text[0] == text[-1] and text[0] in '\'"'
        return text[1:-1] if quoted else text
    if not isinstance(current, list | tuple):
        value = _parse(text, split=False)
        whole = type(current) is int and isinstance(value, float) and value.is_integer()
        return int(value) if whole else value
    value = _parse(text, split=True)
    if isinstance(value, str) and current and all(isinstance(one, str) for one in current):
        value = [value]
    return type(current)(value) if isinstance(value, list | tuple) else value
