import json
from importlib.resources import files

import pytest

from mmcount.datasets.lego.classes import LAYOUTS, class_table, generate_class_table, single_digit_classes


def test_shipped_table_equals_the_generated_one():
    shipped = json.loads(files('mmcount.datasets.lego').joinpath('classes.json').read_text(encoding='utf-8'))
    assert shipped['classes'] == generate_class_table(seed=shipped['seed'])


def test_table_has_twenty_triples_per_layout():
    table = class_table()
    assert len(table) == 100
    assert len({kind.name for kind in table}) == 100
    for layout, offsets in LAYOUTS.items():
        kinds = [kind for kind in table if kind.name.startswith(f'{layout}-')]
        assert len(kinds) == 20
        assert all(kind.offsets == offsets and len(kind.digits) == 3 for kind in kinds)


def test_no_two_triples_of_a_layout_differ_only_by_six_and_nine():
    for layout in LAYOUTS:
        keys = [kind.name.replace('9', '6') for kind in class_table() if kind.name.startswith(f'{layout}-')]
        assert len(set(keys)) == len(keys)


def test_first_ids_are_frozen():
    assert [kind.name for kind in class_table()[:2]] == ['row-229', 'row-685']


def test_every_possible_triple_can_be_drawn_and_no_more():
    assert len(generate_class_table(per_layout=729)) == 5 * 729
    with pytest.raises(ValueError, match='729'):
        generate_class_table(per_layout=730)


def test_single_digit_ids_are_the_digits():
    assert [kind.digits for kind in single_digit_classes()] == [(digit,) for digit in range(10)]
