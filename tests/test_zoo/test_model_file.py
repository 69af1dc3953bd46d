import json

import pytest
import torch
from safetensors.torch import save_file

from mmcount.zoo import ModelCard, ModelFileError, read_card, read_model, write_model

CARD = ModelCard('x', 'Counts x', ('x',))
CFG = dict(model=dict(type='mmcount.DenseCounter', scales=(1, 2.5), flag=None))


def state():
    generator = torch.Generator().manual_seed(0)
    return {
        'conv.weight': torch.randn(8, 4, 3, 3, generator=generator),
        'conv.bias': torch.randn(8, generator=generator),
        'steps': torch.tensor(7),
        'fitted': torch.tensor([True]),
        'dead.weight': torch.zeros(3, 5),
    }


@pytest.mark.parametrize(('precision', 'error'), [('float32', 0), ('float16', 5e-4), ('int8', 4e-3)])
def test_weights_come_back_within_their_precision(tmp_path, precision, error):
    path = tmp_path / 'x.safetensors'
    digest = write_model(path, CFG, state(), CARD, precision)
    cfg, weights, card, sha256 = read_model(path, digest)
    assert sha256 == digest
    assert card.precision == precision
    assert cfg == {'model': {'type': 'mmcount.DenseCounter', 'scales': [1, 2.5], 'flag': None}}
    assert set(weights) == set(state())
    for name, value in state().items():
        assert weights[name].dtype == value.dtype
        if value.ndim < 2:
            assert torch.equal(weights[name], value)
        else:
            peaks = value.abs().amax(dim=tuple(range(1, value.ndim)), keepdim=True)
            assert ((weights[name] - value).abs() <= error * peaks).all()


def test_buffers_keep_nan(tmp_path):
    write_model(tmp_path / 'x', CFG, {'scale': torch.tensor([float('nan'), 1.0])}, CARD)
    weights = read_model(tmp_path / 'x').state_dict['scale']
    assert weights.isnan().tolist() == [True, False]


def test_int8_takes_about_half_of_half_precision(tmp_path):
    weights = {'weight': torch.randn(64, 4096)}
    sizes = []
    for precision in ('float16', 'int8'):
        write_model(tmp_path / precision, CFG, weights, CARD, precision)
        sizes.append((tmp_path / precision).stat().st_size)
    assert sizes[1] < 0.52 * sizes[0]


def test_the_card_is_read_without_the_weights(tmp_path):
    path = tmp_path / 'x.safetensors'
    write_model(path, CFG, state(), CARD)
    content = path.read_bytes()
    path.write_bytes(content[: 8 + int.from_bytes(content[:8], 'little')])
    assert read_card(path).summary == 'Counts x'
    with pytest.raises(ModelFileError, match='cut off or damaged'):
        read_model(path)


def test_another_checksum_is_refused_before_anything_is_read(tmp_path):
    path = tmp_path / 'x.safetensors'
    path.write_bytes(b'anything')
    with pytest.raises(ModelFileError, match=r'SHA-256 is .* expected 0000'):
        read_model(path, '0000')


def test_files_of_another_kind_are_refused(tmp_path):
    path = tmp_path / 'x.safetensors'
    for content in (b'', b'PK\x03\x04 zip', b'\x02' + bytes(7) + b'{}'):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r'no safetensors file|no model of mmcount'):
            read_model(path)
    save_file({'a': torch.zeros(2)}, path, {'format': 'pt'})
    with pytest.raises(ModelFileError, match='has no mmcount_format'):
        read_model(path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'mmcount_format': '99'}, 'has format 99, this version of mmcount reads 1'),
        ({'card': '{'}, 'damaged metadata'),
        ({'card': '{}'}, 'damaged metadata'),
        ({'config': '{"head": 1}'}, 'config without model'),
    ],
)
def test_wrong_metadata_are_refused(tmp_path, changes, message):
    path = tmp_path / 'x.safetensors'
    good = {'mmcount_format': '1', 'card': json.dumps(CARD.to_dict()), 'config': json.dumps(CFG)}
    save_file({'a': torch.zeros(2)}, path, good | changes)
    with pytest.raises(ModelFileError, match=message):
        read_model(path)


@pytest.mark.parametrize(
    ('cfg', 'weights', 'precision', 'message'),
    [
        (dict(model=dict(type=dict)), {}, 'float16', 'config.model.type is'),
        (dict(model={1: 2}), {}, 'float16', 'keys that are no strings'),
        (dict(model=float('inf')), {}, 'float16', 'expected plain values'),
        (CFG, {'w': torch.full((2, 2), float('nan'))}, 'float16', 'not finite'),
        (CFG, {'w': torch.full((2, 2), 1e6)}, 'float16', 'more than half precision holds'),
        (CFG, {}, 'int4', 'precision must be one of'),
    ],
)
def test_what_cannot_be_stored_is_refused_and_leaves_no_file(tmp_path, cfg, weights, precision, message):
    path = tmp_path / 'x.safetensors'
    with pytest.raises(ValueError, match=message):
        write_model(path, cfg, weights, CARD, precision)
    assert not list(tmp_path.iterdir())
