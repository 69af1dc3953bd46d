"""Proposals from files: round trips, and what is wrong with a file."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask
from scipy.io import savemat

from mmcount.datasets import AnnotationError
from mmcount.datasets.proposals import (
    MCGProposals,
    PRMProposals,
    RLEProposals,
    decode_rle,
    decode_runs,
    encode_rle,
    read_proposal_mat,
)


def encode_runs(mask):
    """A mask as the demonstration of peak response mapping writes it: size, and base64 of (start, length) pairs."""
    change = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask, dtype=np.int8).ravel(), [0]])))
    pairs = np.stack([change[::2] + 1, change[1::2] - change[::2]], axis=1).astype('<u4')
    return [[int(side) for side in mask.shape], base64.b64encode(pairs.tobytes()).decode('ascii')]


MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
SHAPE = (6, 8)


@pytest.fixture
def masks():
    rng = np.random.default_rng(0)
    return rng.random((4, *SHAPE)) > 0.6


def image(name='one'):
    return dict(img=np.zeros((*SHAPE, 3), np.uint8), img_path=f'/data/{name}.jpg')


@given(MASKS)
def test_run_lengths_round_trip(mask):
    assert np.array_equal(decode_rle(encode_rle(mask)), mask)
    assert np.array_equal(decode_rle(json.loads(json.dumps(encode_rle(mask)))), mask)
    assert np.array_equal(decode_runs(encode_runs(mask)), mask)


def test_compressed_counts_are_read_as_pycocotools_writes_them():
    mask = np.zeros((300, 400), np.uint8)
    mask[20:290, 7:390:3] = 1  # long and short runs, falling and rising differences
    code = coco_mask.encode(np.asfortranarray(mask))
    assert np.array_equal(decode_rle(dict(size=[300, 400], counts=code['counts'].decode())), mask > 0)
    runs = np.flatnonzero(np.diff(np.concatenate([[0], mask.T.ravel(), [2]])))
    counts = np.diff(np.concatenate([[0], runs])).tolist()
    assert np.array_equal(decode_rle(dict(size=[300, 400], counts=counts)), mask > 0)


def test_runs_are_row_major_and_start_at_one():
    code = base64.b64encode(np.array([[2, 2], [6, 1]], '<u4').tobytes()).decode()
    expected = [[False, True, True], [False, False, True]]
    assert decode_runs([[2, 3], code]).tolist() == expected
    assert decode_runs({'anything': code, 'shape': [2, 3]}).tolist() == expected


def test_rle_folder(tmp_path, masks):
    entries = [dict(segmentation=encode_rle(m), score=s) for m, s in zip(masks, (0.1, 0.9, 0.5, 0.5), strict=True)]
    (tmp_path / 'one.json').write_text(json.dumps(entries))
    found = RLEProposals(tmp_path)(image())
    assert np.array_equal(found.masks, masks[[1, 2, 3, 0]])
    assert found.scores.tolist() == pytest.approx([0.9, 0.5, 0.5, 0.1])
    assert len(RLEProposals(tmp_path)(image(), limit=2).masks) == 2
    (tmp_path / 'bare.json').write_text(json.dumps([encode_rle(m) for m in masks]))
    assert np.array_equal(RLEProposals(tmp_path)(image('bare')).masks, masks)
    (tmp_path / 'none.json').write_text('[]')
    assert RLEProposals(tmp_path)(image('none')).masks.shape == (0, *SHAPE)


def test_one_file_of_coco_results(tmp_path, masks):
    file = tmp_path / 'segm.json'
    entries = [
        dict(image_id=i, segmentation=encode_rle(m), score=0.5) for i, m in zip((9, 7, 9, 9), masks, strict=True)
    ]
    file.write_text(json.dumps(entries))
    source = RLEProposals(file)
    assert np.array_equal(source(image('000000000009')).masks, masks[[0, 2, 3]])
    assert np.array_equal(source(image('7')).masks, masks[[1]])
    assert len(source(image('other')).masks) == 0
    file.write_text(json.dumps([dict(segmentation=encode_rle(masks[0]))]))
    with pytest.raises(AnnotationError, match=r"segm\.json: proposal 0 has no 'image_id'"):
        RLEProposals(file)(image())


def test_prm_folder(tmp_path, masks):
    (tmp_path / 'one.json').write_text(json.dumps([encode_runs(m) for m in masks]))
    found = PRMProposals(tmp_path)(image())
    assert np.array_equal(found.masks, masks)
    assert (np.diff(found.scores) < 0).all()
    assert len(PRMProposals(tmp_path)(image(), limit=3).masks) == 3


def mat_fields():
    superpixels = np.repeat(np.array([[3, 5, 9, 12]], np.uint16), SHAPE[0], axis=0).repeat(2, axis=1)
    labels = np.empty((3, 1), dtype=object)
    labels[0, 0], labels[1, 0], labels[2, 0] = np.array([[3, 9]]), np.array([[5]]), np.array([[3, 5, 12]])
    return superpixels, labels, np.array([[0.2], [0.8], [0.5]])


def expected_masks(superpixels):
    return np.stack([np.isin(superpixels, one) for one in ([5], [3, 5, 12], [3, 9])])


def test_mat_version_5(tmp_path):
    superpixels, labels, scores = mat_fields()
    savemat(tmp_path / 'one.mat', dict(superpixels=superpixels, labels=labels, scores=scores))
    found = MCGProposals(tmp_path)(image())
    assert np.array_equal(found.masks, expected_masks(superpixels))
    assert found.scores.tolist() == pytest.approx([0.8, 0.5, 0.2])
    assert len(MCGProposals(tmp_path)(image(), limit=1).masks) == 1


def test_mat_with_a_single_proposal(tmp_path):
    superpixels, labels, scores = mat_fields()
    savemat(tmp_path / 'one.mat', dict(superpixels=superpixels, labels=labels[:1], scores=scores[:1]))
    assert np.array_equal(MCGProposals(tmp_path)(image()).masks[0], np.isin(superpixels, [3, 9]))


def test_mat_version_73(tmp_path):
    h5py = pytest.importorskip('h5py', reason='MATLAB 7.3 files are read with h5py')
    superpixels, labels, scores = mat_fields()
    path = tmp_path / 'one.mat'
    with h5py.File(path, 'w', userblock_size=512) as content:
        content['superpixels'], content['scores'] = superpixels.T, scores.T
        refs = content.create_dataset('labels', (1, 3), dtype=h5py.ref_dtype)
        for index in range(3):
            content[f'#refs#/{index}'] = labels[index, 0].T.astype(np.float64)
            refs[0, index] = content[f'#refs#/{index}'].ref
    with open(path, 'r+b') as stream:
        stream.write(b'MATLAB 7.3 MAT-file')
    found = MCGProposals(tmp_path)(image())
    assert np.array_equal(found.masks, expected_masks(superpixels))


def test_mat_version_73_without_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'h5py', None)
    (tmp_path / 'one.mat').write_bytes(b'MATLAB 7.3 MAT-file' + bytes(600))
    with pytest.raises(ImportError, match=r'one\.mat is a MATLAB 7\.3 file.*pip install h5py'):
        MCGProposals(tmp_path)(image())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'not a JSON file'),
        ('{}', 'expected a list of proposals, found dict'),
        ('[5]', 'proposal 0: expected a COCO run-length code'),
        ('[{"size": [6, 8], "counts": [40]}]', 'proposal 0: the runs add up to 40 pixels, expected 6 x 8'),
        ('[{"size": [6, 8], "counts": "~~~"}]', "proposal 0: 'counts' has the character '~'"),
        ('[{"size": [6, 8], "counts": "PPP"}]', "proposal 0: 'counts' ends in the middle"),
        ('[{"size": [6], "counts": [48]}]', r"proposal 0: 'size' must be \[height, width\]"),
        ('[{"size": [4, 12], "counts": [48]}]', r'proposal 0 is of \(4, 12\).*the image is of \(6, 8\)'),
        ('[{"segmentation": {"size": [6, 8], "counts": [48]}, "score": "high"}]', 'proposal 0: could not convert'),
    ],
)
def test_malformed_rle_files(tmp_path, content, message):
    (tmp_path / 'one.json').write_text(content)
    with pytest.raises(AnnotationError, match=rf'one\.json: .*{message}'):
        RLEProposals(tmp_path)(image())


def test_scores_for_all_or_none(tmp_path, masks):
    entries = [dict(segmentation=encode_rle(masks[0]), score=1), dict(segmentation=encode_rle(masks[1]))]
    (tmp_path / 'one.json').write_text(json.dumps(entries))
    with pytest.raises(AnnotationError, match='1 of 2 proposals have no score'):
        RLEProposals(tmp_path)(image())


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (7, 'expected a size and a code'),
        ([[6, 8]], 'expected one size'),
        ([[6, 8], '!!!'], 'not base64'),
        ([[6, 8], base64.b64encode(b'1234').decode()], '4 bytes'),
        ([[6, 8], base64.b64encode(np.array([40, 20], '<u4').tobytes()).decode()], 'run 0 is'),
        ([[6, 8], base64.b64encode(np.array([0, 2], '<u4').tobytes()).decode()], 'run 0 is'),
    ],
)
def test_malformed_prm_files(tmp_path, masks, entry, message):
    (tmp_path / 'one.json').write_text(json.dumps([encode_runs(masks[0]), entry]))
    with pytest.raises(AnnotationError, match=rf'one\.json: proposal 1: .*{message}'):
        PRMProposals(tmp_path)(image())


def test_malformed_mat_files(tmp_path):
    superpixels, labels, scores = mat_fields()
    path = tmp_path / 'one.mat'
    path.write_bytes(b'no matrix')
    with pytest.raises(AnnotationError, match=r'one\.mat: cannot be read as a \.mat file'):
        read_proposal_mat(str(path))
    for fields, message in (
        (dict(superpixels=superpixels), "holds no variable 'labels'"),
        (dict(superpixels=superpixels, labels=labels, scores=scores[:2]), '3 labels and 2 scores'),
        (dict(superpixels=superpixels, labels=labels, scores=scores * np.nan), 'score 0 is not finite'),
        (dict(superpixels=superpixels + 1, labels=labels, scores=scores), 'proposal 1 has the superpixel 5'),
        (dict(superpixels=superpixels[:3], labels=labels, scores=scores), r'is of \(3, 8\)'),
    ):
        savemat(path, fields)
        with pytest.raises(AnnotationError, match=message):
            MCGProposals(tmp_path)(image())


@pytest.mark.parametrize('source', [RLEProposals, PRMProposals, MCGProposals])
def test_missing_files(tmp_path, source):
    with pytest.raises(FileNotFoundError, match=r'not found: .*absent\.'):
        source(tmp_path)(image('absent'))
