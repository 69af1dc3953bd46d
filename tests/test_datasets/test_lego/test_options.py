import pytest

from mmcount.datasets.lego.options import SceneOptions


def test_lists_of_a_config_become_tuples():
    options = SceneOptions(canvas=[96, 128], num_objects=[0, 3], classes=[4, 2])
    assert options.canvas == (96, 128)
    assert options.num_objects == (0, 3)
    assert [kind.name for kind in options.lego_classes] == list(options.class_names)


def test_one_number_of_objects_is_a_range_of_one():
    assert SceneOptions(num_objects=3).num_objects == (3, 3)


def test_class_names_follow_the_options():
    assert len(SceneOptions().class_names) == 100
    assert SceneOptions(layout='single', classes=(7, 1)).class_names == ('7', '1')
    assert SceneOptions(layout='single', merge_classes=True).class_names == ('digit',)
    assert SceneOptions(merge_classes=True).class_names == ('object',)


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'layout': 'double'}, 'layout must be one of'),
        ({'class_mode': 'two'}, 'class_mode must be one of'),
        ({'classes_per_scene': (1, 2)}, "needs class_mode='mixed'"),
        ({'class_mode': 'mixed', 'classes_per_scene': (0, 2)}, 'rising range in 1..100'),
        ({'background': 'blue'}, 'background must be one of'),
        ({'classes': (100,)}, r'0\.\.99'),
        ({'classes': ()}, 'classes must be distinct'),
        ({'classes': (1, 1)}, 'classes must be distinct'),
        ({'layout': 'single', 'classes': (10,)}, r'0\.\.9 '),
        ({'canvas': (128,)}, 'canvas must be'),
        ({'num_objects': (3, 1)}, r'num_objects must be a rising'),
        ({'num_objects': -1}, 'num_objects'),
        ({'num_objects_choices': ()}, 'num_objects_choices'),
        ({'scale_range': (1.2, 0.8)}, 'scale_range must be a rising'),
        ({'empty_prob': 1.5}, r'empty_prob must be a number in 0\.\.1, got 1\.5'),
        ({'max_overlap': float('nan')}, 'max_overlap'),
        ({'retries': 0}, 'retries'),
        ({'center_jitter': -1}, 'center_jitter'),
        ({'stack_size': (1, 4)}, 'stack_size'),
        ({'stack_angles': ()}, 'stack_angles must be None or'),
        ({'stack_angles': (0, float('nan'))}, 'stack_angles must be None or'),
        ({'stack_turn': -1}, 'stack_turn'),
        ({'ink': 'first'}, 'ink must be one of'),
        ({'canvas': (64, 64)}, r'do not fit the canvas 64x64'),
    ],
)
def test_wrong_option_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        SceneOptions(**wrong)
