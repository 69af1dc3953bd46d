import cv2
import numpy as np
import pytest
from scipy.io import savemat

from mmcount.datasets import MSO, SOS, AnnotationError

LABELS = [0, 1, 2, 3, 4, 1, 2, 0, 1, 4]


def write_images(folder, number):
    folder.mkdir(parents=True, exist_ok=True)
    names = [f'{index:02d}.jpg' for index in range(number)]
    for name in names:
        cv2.imwrite(str(folder / name), np.zeros((20, 30, 3), np.uint8))
    return names


def write_mat5(path, **columns):
    fields = list(columns)
    number = len(columns[fields[0]])
    index = np.empty((number, 1), dtype=[(field, object) for field in fields])
    for field in fields:
        for row in range(number):
            index[field][row, 0] = columns[field][row]
    savemat(path, {'imgIdx': index})


def write_mat73(path, **columns):
    """As MATLAB writes a struct array: a field is an array of references, matrices are transposed, text is codes."""
    h5py = pytest.importorskip('h5py', reason='MATLAB 7.3 files are read with h5py')
    with h5py.File(path, 'w') as file:
        group = file.create_group('imgIdx')
        for field, values in columns.items():
            refs = group.create_dataset(field, (len(values), 1), dtype=h5py.ref_dtype)
            for row, value in enumerate(values):
                name = f'#refs#/{field}{row}'
                if isinstance(value, str):
                    file[name] = np.array([[ord(char)] for char in value], np.uint16)
                elif np.size(value) == 0:
                    file[name] = np.zeros(2, np.uint64)
                    if row % 2:  # re-saved files lose the mark
                        file[name].attrs['MATLAB_empty'] = np.uint8(1)
                else:
                    file[name] = np.atleast_2d(np.asarray(value, float)).T
                refs[row, 0] = file[name].ref


@pytest.fixture(params=[write_mat5, write_mat73], ids=['5', '7.3'])
def write(request):
    return request.param


def test_sos_reads_labels_and_parts(tmp_path, write):
    names = write_images(tmp_path, 10)
    write(tmp_path / 'imgIdx.mat', name=names, label=LABELS, istest=[0] * 7 + [1] * 3)
    test = SOS(data_root=tmp_path, subset='test')
    assert [info['img_id'] for info in map(test.get_data_info, range(len(test)))] == names[7:]
    assert test.class_counts().ravel().tolist() == LABELS[7:]
    parts = {subset: SOS(data_root=tmp_path, subset=subset, val_fraction=0.3) for subset in ('train', 'val')}
    ids = {subset: {part.get_data_info(i)['img_id'] for i in range(len(part))} for subset, part in parts.items()}
    assert len(ids['val']) == 2
    assert ids['train'] | ids['val'] == set(names[:7])
    assert len(SOS(data_root=tmp_path, subset='trainval')) == 7
    assert 'points' not in test.get_data_info(0)


def test_mso_reads_boxes_from_one_and_clips_them(tmp_path, write):
    names = write_images(tmp_path / 'img', 4)
    anno = [np.zeros((0, 4)), np.array([[1, 1, 10, 5]]), np.array([[-3, 2, 8, 90], [11, 3, 12, 4]]), np.zeros((0, 4))]
    write(tmp_path / 'imgIdx.mat', name=names, label=[0, 1, 2, 0], anno=anno)
    dataset = MSO(data_root=tmp_path)
    boxes = [dataset.get_data_info(index)['bboxes'].tolist() for index in range(4)]
    assert boxes == [[], [[0, 0, 10, 5]], [[0, 1, 8, 20], [10, 2, 12, 4]], []]
    assert dataset.class_counts().ravel().tolist() == [0, 1, 2, 0]


def test_a_label_that_is_not_the_number_of_boxes_counts_and_is_reported(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('mmcount.datasets.salient.print_log', lambda text, **_: said.append(text))
    names = write_images(tmp_path / 'img', 2)
    anno = [np.array([[1, 1, 5, 5]]), np.tile([1, 1, 5, 5], (6, 1))]
    write_mat5(tmp_path / 'imgIdx.mat', name=names, label=[2, 4], anno=anno)
    dataset = MSO(data_root=tmp_path)
    assert dataset.class_counts().ravel().tolist() == [2, 4]
    assert said == ['MSO: the label of 1 images is not their number of boxes, for example of 00.jpg; the label counts']


def test_boxes_without_a_pixel_are_left_out_and_reported(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('mmcount.datasets.salient.print_log', lambda text, **_: said.append(text))
    names = write_images(tmp_path / 'img', 1)
    anno = [np.array([[1, 1, 5, 5], [40, 3, 50, 9], [9, 9, 6, 6]])]
    write_mat5(tmp_path / 'imgIdx.mat', name=names, label=[1], anno=anno)
    assert MSO(data_root=tmp_path).get_data_info(0)['bboxes'].tolist() == [[0, 0, 5, 5]]
    assert said == ['MSO: 2 boxes hold no pixel of their image and are left out, for example of 00.jpg']


@pytest.mark.parametrize(
    ('columns', 'message'),
    [
        (dict(label=[1, 5]), 'label of image 2 is 5, expected 0..4'),
        (dict(label=[1, [1, 2]]), r'label of image 2 of imgIdx: expected one whole number, found \[1.0, 2.0\]'),
        (dict(istest=None), "has no field 'istest'"),
        (dict(name=['00.jpg', '']), 'name of image 2 of imgIdx: expected a file name'),
    ],
)
def test_a_damaged_index_is_named(tmp_path, columns, message):
    names = write_images(tmp_path, 2)
    whole = {**dict(name=names, label=[1, 2], istest=[0, 1]), **columns}
    write_mat5(tmp_path / 'imgIdx.mat', **{key: value for key, value in whole.items() if value is not None})
    with pytest.raises(AnnotationError, match=rf'imgIdx\.mat: .*{message}'):
        SOS(data_root=tmp_path)


def test_missing_images_and_options_are_refused(tmp_path):
    names = write_images(tmp_path, 2)
    write_mat5(tmp_path / 'imgIdx.mat', name=[*names, 'lost.jpg'], label=[1, 2, 0], istest=[0, 0, 1])
    with pytest.raises(FileNotFoundError, match=r"1 of the 3 images .* the first is 'lost\.jpg'"):
        SOS(data_root=tmp_path)
    with pytest.raises(ValueError, match="got 'all'"):
        SOS(data_root=tmp_path, subset='all')
    with pytest.raises(ValueError, match='val_fraction must be between 0 and 1'):
        SOS(data_root=tmp_path, val_fraction=1.5)
    with pytest.raises(FileNotFoundError):
        MSO(data_root=tmp_path / 'nowhere')
