"""Values of the command line get the type of what they replace."""

import argparse

import pytest

from mmcount.engine.option_action import OptionAction, parse_value


@pytest.mark.parametrize(
    ('text', 'current', 'expected'),
    [
        ('300', 1500, 300),
        ('1e-4', 0.01, 1e-4),
        ('1e3', 1500, 1000),
        ('true', False, True),
        ('None', 3, None),
        ('None', 'data/', None),
        ('a b', 'data/', 'a b'),
        ('a,b', 'data/', 'a,b'),
        ('"a, b"', 'data/', 'a, b'),
        ('12', 'data/', '12'),
        (r'C:\new\data', 'data/', r'C:\new\data'),
        (r'"C:\new data"', 'data/', r'C:\new data'),
        ('live,dead', ('object',), ('live', 'dead')),
        ('live cell, dead cell', ['object'], ['live cell', 'dead cell']),
        ('[live,dead]', ('object',), ('live', 'dead')),
        ('cell', ('object',), ('cell',)),
        ('5', (0, 30), 5),
        ('(1,2)', (0, 30), (1, 2)),
        ('1,2', None, [1, 2]),
        ('[(1,2),[a,b],c]', None, [(1, 2), ['a', 'b'], 'c']),
        ('dict-like, text', None, 'dict-like, text'),
        ("{'a': 1}", dict(a=0), {'a': 1}),
    ],
)
def test_values_are_read_for_their_place(text, current, expected):
    assert parse_value(text, current) == expected


def test_pairs_of_several_options_are_collected():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction)
    args = parser.parse_args(['--cfg-options', 'a=b=c', 'x.y=1', '--cfg-options', 'z=a b'])
    assert args.cfg_options == {'a': 'b=c', 'x.y': '1', 'z': 'a b'}
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', 'novalue'])
