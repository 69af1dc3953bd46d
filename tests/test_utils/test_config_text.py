import pytest
from mmengine.config import Config

from mmcount.utils.config_text import check_types, read_config_text


def test_a_dumped_config_is_read_as_it_was():
    values = dict(
        model=dict(type='A', sizes=(1, 2.5, -3), nested=[dict(x=None), (True,)], far=float('inf'), low=-float('inf')),
        paths={'a.b': 1, 'c-d': dict(e='it\'s "quoted"\n')},
        empty=dict(),
        numbers=[],
    )
    assert read_config_text(Config(values).pretty_text, 'w.pth') == values


@pytest.mark.parametrize(
    ('text', 'line', 'found'),
    [
        ('import os', 1, 'import os'),
        ("a = 1\nb = __import__('os').system('exit')", 2, '__import__'),
        ('a = dict(x=[open("f")])', 1, 'open'),
        ('a = [i for i in range(3)]', 1, 'for i in range'),
        ('a.b = 1', 1, 'a.b'),
        ('a = dict(**b)', 1, 'dict'),
        ('a = f"{b}"', 1, 'f"'),
    ],
)
def test_anything_but_values_is_refused_with_its_line(text, line, found):
    with pytest.raises(ValueError) as error:
        read_config_text(text, 'w.pth')
    assert f'w.pth, line {line}' in str(error.value)
    assert found in str(error.value)


def test_text_that_is_no_python_is_named():
    with pytest.raises(ValueError, match=r'config in w\.pth cannot be read: line 1'):
        read_config_text('a = (', 'w.pth')


@pytest.mark.parametrize('kind', ['os.system', 'mmengine.call_command', 'a.b.c', '__import__("os").system("exit")'])
def test_types_that_only_an_import_could_find_are_refused(kind):
    with pytest.raises(ValueError, match=r'config in w\.pth asks for the type'):
        check_types(dict(model=[dict(type='mmdet.ResNet', neck=dict(type=kind))]), {'ResNet'}, 'w.pth')


def test_registered_types_and_plain_names_pass():
    check_types(dict(model=dict(type='mmdet.ResNet', nms=dict(type='soft_nms')), type=3), {'ResNet'}, 'w.pth')
