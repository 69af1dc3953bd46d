import pickle

import numpy as np
import pytest

from mmcount.datasets import AnnotationError, CountDataset, class_palette, count_dataset
from mmcount.registry import DATASETS


def image(img_id, **annotations):
    return {'img': np.zeros((8, 8, 3), np.uint8), 'img_id': img_id, **annotations}


def build(*images, **kwargs):
    return CountDataset(**{'data_list': images, 'metainfo': {'classes': ('a', 'b')}, **kwargs})


def test_images_without_objects_are_kept_and_count_zero():
    dataset = build(image('0'), image('1', points=[[1, 2]], labels=[1]), image('2', points=[], labels=[]))
    assert len(dataset) == 3
    assert dataset.class_counts().tolist() == [[0, 0], [0, 1], [0, 0]]
    empty = dataset[0]
    assert empty['points'].shape == (0, 2)
    assert empty['points'].dtype == np.float32
    assert empty['labels'].dtype == np.int64


@pytest.mark.parametrize('serialize_data', [True, False])
def test_every_image_knows_the_number_of_classes(serialize_data):
    dataset = build(image('0'), image('1'), serialize_data=serialize_data)
    assert [dataset.get_data_info(i)['num_classes'] for i in range(2)] == [2, 2]


def test_counts_of_boxes_are_summed_and_ignored_objects_are_not():
    boxes = [[0, 0, 4, 4], [2, 2, 4, 6], [0, 0, 1, 1]]
    dataset = build(image('0', bboxes=boxes, labels=[0, 0, 1], counts=[5, 2, 7], ignore_flags=[False, False, True]))
    assert dataset.class_counts().tolist() == [[7, 0]]


def test_missing_points_are_the_centres_of_the_boxes():
    dataset = build(image('0', bboxes=[[2, 3, 3, 4], [0, 0, 4, 2]], labels=[0, 0]))
    assert dataset[0]['points'].tolist() == [[2, 3], [1.5, 0.5]]


def test_it_builds_from_a_config_and_pickles():
    config = {'type': 'mmcount.CountDataset', 'data_list': [image('0', points=[[0, 0]], labels=[0])]}
    dataset = DATASETS.build({**config, 'metainfo': {'classes': ['cell']}})
    assert pickle.loads(pickle.dumps(dataset)).class_counts().tolist() == [[1]]
    assert dataset.get_cat_ids(0) == [0]


def test_a_label_beyond_the_classes_names_the_image_and_the_classes():
    with pytest.raises(
        AnnotationError, match=r'photo7: label 0 is 2, expected 0\.\.1: there are 2 classes in metainfo'
    ):
        build(image('0'), image('photo7', points=[[0, 0]], labels=[2]))


@pytest.mark.parametrize(
    ('annotations', 'message'),
    [
        ({'points': [[0, 0]], 'labels': []}, "agree in number, got {'points': 1, 'labels': 0}"),
        ({'points': [[0, np.nan]], 'labels': [0]}, 'expected finite numbers'),
        ({'points': [[0, 0]], 'labels': [0], 'counts': [0]}, 'at least 1, got 0'),
        ({'points': [[0, 0]], 'labels': [-1]}, r'label 0 is -1, expected 0\.\.1'),
    ],
)
def test_annotations_that_break_the_contract_name_the_image(annotations, message):
    with pytest.raises(AnnotationError, match=message) as caught:
        build(image('photo7', **annotations))
    assert caught.value.file == 'photo7'


def test_repeated_ids_are_an_error():
    with pytest.raises(AnnotationError, match='same: this img_id is used by more than one image'):
        build(image('same'), image('same'))


def test_an_image_without_id_or_pixels_is_an_error():
    with pytest.raises(AnnotationError, match='needs img_id and img_path'):
        build({'img_id': '0'})


def test_no_images_at_all_is_an_error_that_says_so():
    with pytest.raises(ValueError, match='has no images'):
        build()


@pytest.mark.parametrize(
    ('metainfo', 'error', 'message'),
    [
        ({'CLASSES': ('a',)}, ValueError, r"lower-case, got \['CLASSES'\]"),
        ({'classes': 'live,,dead'}, ValueError, 'none without a name'),
        ({'classes': 'live,live'}, ValueError, r"\['live'\] more than once"),
        ({'classes': 'no/classes.txt'}, FileNotFoundError, "classes='no/classes.txt' is no file; write names"),
        ({'classes': ()}, ValueError, 'at least one class'),
        ({'classes': ('a', 'b', 'a')}, ValueError, r"\['a'\] more than once"),
        ({'classes': ('a', 'b'), 'palette': [(0, 0, 0)]}, ValueError, '1 colours for 2 classes'),
        ({}, ValueError, 'has no classes'),
    ],
)
def test_wrong_metainfo_is_refused(metainfo, error, message):
    with pytest.raises(error, match=message):
        build(image('0'), metainfo=metainfo)


def test_classes_may_be_listed_in_a_file(tmp_path):
    (tmp_path / 'classes.txt').write_text('a\nb\nc\n')
    dataset = build(image('0'), metainfo={'classes': str(tmp_path / 'classes.txt')})
    assert dataset.metainfo['classes'] == ('a', 'b', 'c')
    assert dataset.metainfo['palette'] == class_palette(3)


@pytest.mark.parametrize('names', ['live,dead', ' live , dead ', ['live', 'dead'], ('live', 'dead')])
def test_classes_may_be_text_separated_by_commas_or_a_sequence(names):
    dataset = build(image('0', points=[[0, 0]], labels=[1]), metainfo={'classes': names})
    assert dataset.metainfo['classes'] == ('live', 'dead')
    assert dataset.class_counts().tolist() == [[0, 1]]


def test_a_single_name_is_one_class():
    assert build(image('0'), metainfo={'classes': 'cell'}).metainfo['classes'] == ('cell',)


def test_palette_colours_are_distinct():
    assert len(set(class_palette(40))) == 40


def test_a_filter_is_refused_because_zero_is_a_count():
    with pytest.raises(ValueError, match='images without objects count zero'):
        build(image('0'), filter_cfg={'filter_empty_gt': True})


def test_a_split_selects_disjoint_subsets():
    images = [image(str(i)) for i in range(10)]
    ids = {}
    for subset in ('train', 'val', 'test'):
        dataset = build(*images, split={'num_train': 3, 'num_test': 4, 'seed': 2}, subset=subset)
        ids[subset] = {dataset.get_data_info(i)['img_id'] for i in range(len(dataset))}
    assert [len(ids[subset]) for subset in ('train', 'val', 'test')] == [3, 3, 4]
    assert len(set.union(*ids.values())) == 10


@pytest.mark.parametrize('half', [{'split': {'num_train': 1}}, {'subset': 'train'}])
def test_split_and_subset_are_given_together(half):
    with pytest.raises(ValueError, match='both split and subset'):
        build(image('0'), **half)


def test_an_empty_subset_is_an_error_that_names_the_subset():
    with pytest.raises(ValueError, match=r"has no images .*subset='val'"):
        build(image('0'), split={'num_train': 1, 'num_val': 0, 'num_test': 0}, subset='val')


def test_without_a_reader_it_says_which_to_use():
    with pytest.raises(ValueError, match='PointsCSVDataset'):
        CountDataset(metainfo={'classes': ('a',)})


def test_annotation_errors_survive_pickling_between_processes():
    error = pickle.loads(pickle.dumps(AnnotationError('wrong', file='a.csv', line=3)))
    assert (str(error), error.file, error.line) == ('a.csv, line 3: wrong', 'a.csv', 3)


def test_images_that_all_count_zero_give_a_warning_with_their_number(monkeypatch):
    said = []
    monkeypatch.setattr(count_dataset, 'print_log', lambda message, **_: said.append(message))
    image = {'img': np.zeros((4, 4, 3), np.uint8), 'points': [], 'labels': []}
    CountDataset(data_list=[{**image, 'img_id': name} for name in 'ab'], metainfo={'classes': ('cell',)})
    assert said
    assert 'all 2 labelled images count zero' in said[0]
    said.clear()
    full = {**image, 'img_id': 'c', 'points': [[1, 1]], 'labels': [0]}
    CountDataset(data_list=[full, {**image, 'img_id': 'd'}], metainfo={'classes': ('cell',)})
    assert not said
