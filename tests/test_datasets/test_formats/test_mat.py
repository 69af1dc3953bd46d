"""MATLAB files of both kinds give the same variables."""

import sys

import numpy as np
import pytest
from scipy.io import savemat

from mmcount.datasets import AnnotationError
from mmcount.datasets.formats import read_mat
from mmcount.datasets.formats.crowd_points import read_annpoints_mat, read_shanghaitech_mat

POINTS = np.array([[1.5, 2.0], [3.0, 4.0], [5.0, 6.0]])


def test_version_5_structs_and_cells(tmp_path):
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = np.array([[1, 2]]), dict(a=5)
    savemat(tmp_path / 'a.mat', dict(points=POINTS, cells=cells, struct=dict(inner=dict(x=POINTS))))
    content = read_mat(str(tmp_path / 'a.mat'))
    assert sorted(content) == ['cells', 'points', 'struct']
    assert content['points'].tolist() == POINTS.tolist()
    assert content['cells'][0].tolist() == [[1, 2]]
    assert content['cells'][1]['a'].tolist() == [[5]]
    assert content['struct']['inner']['x'].tolist() == POINTS.tolist()


def test_several_structs_are_a_list(tmp_path):
    structs = np.array([(1.0,), (2.0,)], dtype=[('x', object)])
    savemat(tmp_path / 'a.mat', dict(structs=structs))
    assert [one['x'].item() for one in read_mat(str(tmp_path / 'a.mat'))['structs']] == [1, 2]


@pytest.mark.parametrize('content', [b'', b'no MATLAB file at all', b'MATLAB 5.0 MAT-file' + bytes(600)])
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / 'a.mat').write_bytes(content)
    with pytest.raises(AnnotationError, match=r'a\.mat: (cannot be read|holds no variable)'):
        read_mat(str(tmp_path / 'a.mat'), ('x',))


def test_cut_off_file(tmp_path):
    path = tmp_path / 'a.mat'
    savemat(path, dict(annPoints=np.random.default_rng(0).random((500, 2))))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(AnnotationError, match=r'a\.mat: cannot be read'):
        read_mat(str(path), ('annPoints',))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.mat'):
        read_mat(str(tmp_path / 'a.mat'))


def test_version_73_without_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'h5py', None)
    (tmp_path / 'a.mat').write_bytes(b'MATLAB 7.3 MAT-file'.ljust(512, b' ') + b'\x89HDF\r\n\x1a\n')
    with pytest.raises(ImportError, match=r'a\.mat is a MATLAB 7\.3 file.*pip install h5py'):
        read_mat(str(tmp_path / 'a.mat'))


@pytest.mark.parametrize('text_block', [512, 0])
def test_version_73(tmp_path, text_block):
    h5py = pytest.importorskip('h5py', reason='MATLAB 7.3 files are read with h5py')
    path = tmp_path / 'a.mat'
    with h5py.File(path, 'w', userblock_size=text_block) as file:
        file['annPoints'] = POINTS.T
        file['#refs#/a/location'] = POINTS.T
        file['#refs#/a/number'] = np.array([[3.0]])
        file['image_info'] = np.array([[file['#refs#/a'].ref]], dtype=h5py.ref_dtype)
        empty = file.create_dataset('empty', data=np.array([0, 2], dtype=np.uint64))
        empty.attrs['MATLAB_empty'] = np.uint8(1)
    if text_block:
        with open(path, 'r+b') as stream:
            stream.write(b'MATLAB 7.3 MAT-file'.ljust(512, b' '))
    content = read_mat(str(path))
    assert sorted(content) == ['annPoints', 'empty', 'image_info']
    assert content['empty'].shape == (0, 2)
    assert read_annpoints_mat(str(path)).points.tolist() == POINTS.tolist()
    heads = read_shanghaitech_mat(str(path))
    assert (heads.points.tolist(), heads.stated) == (POINTS.tolist(), 3)
    path.write_bytes(path.read_bytes()[: text_block + 200])
    with pytest.raises(AnnotationError, match=r'a\.mat: cannot be read'):
        read_mat(str(path))
