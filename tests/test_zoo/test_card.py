import pytest

from mmcount.zoo import Figure, ModelCard

CARD = dict(name='x', summary='Counts x', classes=['x'])


def test_a_card_survives_json():
    card = ModelCard('x', 'Counts x', ('x',), object_size=(4.0, 9.0), figures=(Figure('own scenes', 'MAE', 1.5),))
    assert ModelCard.from_dict(card.to_dict()) == card


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'classes': []}, 'classes of a model card'),
        ({'classes': 'cell'}, 'classes of a model card'),
        ({'object_size': [9, 4]}, 'two rising diameters'),
        ({'figures': [{'metric': 'MAE'}]}, 'figures of a model card'),
        ({'colour': 'red'}, r"unknown \['colour'\]"),
    ],
)
def test_a_wrong_entry_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ModelCard.from_dict(CARD | changes)


def test_a_missing_entry_is_named():
    with pytest.raises(ValueError, match=r"missing \['classes'\]"):
        ModelCard.from_dict(dict(name='x', summary='y'))
