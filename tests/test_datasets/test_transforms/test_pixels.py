import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from mmcount.datasets.transforms import pixels
from mmcount.datasets.transforms.loading import decode_image
from mmcount.datasets.transforms.pixels import scale_to_8_bits, turn

GREY = np.random.default_rng(0).integers(0, 256, (6, 9)).astype(np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (6, 9, 3)).astype(np.uint8)
DEEP = np.random.default_rng(2).integers(0, 4096, (6, 9)).astype(np.uint16)
DEEP[0, 0] = 4095


@pytest.fixture(autouse=True)
def said(monkeypatch):
    """Warnings of a test."""
    messages: list[str] = []
    monkeypatch.setattr(pixels, '_said', set())
    monkeypatch.setattr(pixels, 'print_log', lambda text, **_: messages.append(text))
    return messages


def encode(img: np.ndarray, file_format: str = 'PNG', **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(img).save(stream, file_format, **options)
    return stream.getvalue()


def encode_bgr(img: np.ndarray, suffix: str) -> bytes:
    return cv2.imencode(suffix, img)[1].tobytes()


def tiff(img: np.ndarray, sample_format: int = 1, photometric: int = 1, extra: int | None = None) -> bytes:
    """An uncompressed TIFF of one strip, (H, W) or (H, W, C) of any type."""
    height, width, samples = (*img.shape, 1)[:3]
    data = np.ascontiguousarray(img).tobytes()
    bits = img.dtype.itemsize * 8
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, photometric),
        (273, 4, 8),
        (277, 3, samples),
        (278, 4, height),
        (279, 4, len(data)),
        (284, 3, 1),
    ]
    tags += [(338, 3, extra)] if extra is not None else []
    tags += [(339, 3, sample_format)]
    extra_at, values = 8 + len(data) + 2 + 12 * len(tags) + 4, b''
    entries = b''
    for tag, kind, value in tags:
        number = samples if tag in (258, 339) else samples - (3 if photometric == 2 else 1) if tag == 338 else 1
        packed = struct.pack('<' + ('H' if kind == 3 else 'I') * number, *[value] * number)
        if len(packed) > 4:
            values, packed = values + packed, struct.pack('<I', extra_at + len(values))
        entries += struct.pack('<HHI', tag, kind, number) + packed.ljust(4, b'\0')
    header = struct.pack('<2sHI', b'II', 42, 8 + len(data))
    return header + data + struct.pack('<H', len(tags)) + entries + struct.pack('<I', 0) + values


@pytest.mark.parametrize('bits', [8, 10, 12, 14, 16])
@pytest.mark.parametrize('file_format', ['PNG', 'TIFF'])
def test_16_bit_files_keep_the_upper_8_of_the_bits_that_their_data_needs(said, bits, file_format):
    data = (DEEP.astype(np.uint32) * 16 >> (16 - bits)).astype(np.uint16)
    img = decode_image(encode(data, file_format), 'cam.tif')
    assert np.array_equal(img, np.repeat((data >> (bits - 8)).astype(np.uint8)[..., None], 3, axis=2))
    assert len(said) == 1
    assert f'cam.tif has 16-bit pixels from {data.min()} to {data.max()}: read as {bits}-bit data' in said[0]
    decode_image(encode(data, file_format), 'other.tif')
    assert len(said) == 1


def test_a_stated_range_is_used_for_all_files_and_what_is_outside_is_said(said):
    img = decode_image(encode(DEEP), 'a', value_range=(0, 4095))
    assert np.array_equal(img[..., 0], DEEP >> 4)
    assert said == []
    img = decode_image(encode(DEEP), 'a', value_range=(0, 1023))
    assert np.array_equal(img[..., 0], np.minimum(DEEP >> 2, 255))
    assert len(said) == 1
    assert 'a has values from' in said[0]
    assert np.array_equal(decode_image(encode(GREY), 'b', value_range=(0, 1023))[..., 0], GREY)


def test_white_is_zero_where_the_file_says_so(said):
    img = decode_image(tiff(DEEP, photometric=0), 'negative')
    assert np.array_equal(img[..., 0], 255 - (DEEP >> 4))


def test_16_bit_colour_comes_in_bgr_order(said):
    deep = COLOUR.astype(np.uint16) * 16
    deep[0, 0] = 4095
    for suffix in ('.png', '.tif'):
        assert np.array_equal(decode_image(encode_bgr(deep, suffix), suffix), deep >> 4)


@pytest.mark.parametrize(
    ('dtype', 'sample_format', 'name'),
    [
        ('int8', 2, r'8-bit pixels \(signed, int8\)'),
        ('int16', 2, r'16-bit pixels \(signed, int16\)'),
        ('float32', 3, r'32-bit pixels \(float, float32\)'),
        ('float64', 3, r'64-bit pixels \(float, float64\)'),
    ],
)
def test_signed_and_float_pixels_are_named_and_need_a_range(dtype, sample_format, name):
    data = (GREY // 2).astype(dtype)
    content = tiff(data, sample_format)
    with pytest.raises(ValueError, match=rf'image x\.tif has {name}, .*value_range=\(low, high\)'):
        decode_image(content, 'x.tif')
    img = decode_image(content, 'x.tif', value_range=(0, 127))
    expected = data.astype(int) * 2 if 'int' in dtype else np.minimum(data / 127 * 256, 255).astype(int)
    assert np.array_equal(img[..., 0], expected)


@pytest.mark.parametrize(('dtype', 'sample_format'), [('uint32', 1), ('float16', 3)])
def test_pixels_that_no_decoder_reads_are_named(dtype, sample_format):
    with pytest.raises(ValueError, match=rf'x\.tif has .* pixels \(\w+, {dtype}\), which are not read'):
        decode_image(tiff(GREY.astype(dtype), sample_format), 'x.tif', value_range=(0, 255))


def test_pixels_that_are_not_finite_are_refused():
    data = np.full((3, 4), np.nan, np.float32)
    with pytest.raises(ValueError, match='not finite'):
        decode_image(tiff(data, 3), 'x.tif', value_range=(0, 1))


@pytest.mark.parametrize('dtype', ['uint8', 'uint16'])
@pytest.mark.parametrize('channels', [2, 3, 5])
def test_channels_that_are_no_picture_are_refused(dtype, channels):
    data = np.repeat(GREY[..., None], channels, axis=2).astype(dtype)
    with pytest.raises(ValueError, match=rf'x\.tif has {channels} channels \(grey and unnamed ones\), expected grey'):
        decode_image(tiff(data, extra=0), 'x.tif')


def transparent() -> np.ndarray:
    """RGBA, white where it is transparent."""
    img = np.full((6, 9, 4), 255, np.uint8)
    img[..., 3] = 0
    img[2:4, 3:6] = (200, 40, 60, 255)
    img[4, 4] = (100, 100, 100, 51)
    return img


@pytest.mark.parametrize('file_format', ['PNG', 'WEBP', 'TIFF'])
def test_transparent_pixels_are_shown_on_the_background(said, file_format):
    options = dict(lossless=True, exact=True) if file_format == 'WEBP' else {}
    img = decode_image(encode(transparent(), file_format, **options), 'cut', background=(10, 20, 30))
    assert img[0, 0].tolist() == [30, 20, 10]
    assert img[2, 3].tolist() == [60, 40, 200]
    assert np.abs(img[4, 4].astype(int) - [44, 36, 28]).max() <= 1  # 0.2 x 100 + 0.8 x background
    assert len(said) == 1
    assert 'cut is not fully opaque: its transparent pixels are shown on the background (10, 20, 30)' in said[0]


def test_grey_and_palettes_may_be_transparent(said):
    img = np.stack([GREY, np.where(GREY > 99, 255, 0).astype(np.uint8)], axis=-1)
    expected = np.where(GREY > 99, GREY, 7)
    for file_format in ('PNG', 'TIFF'):
        found = decode_image(encode(img, file_format), 'LA', background=(7, 7, 7))
        assert np.array_equal(found, np.repeat(expected[..., None], 3, axis=2).astype(np.uint8))
    palette = Image.fromarray((GREY > 99).astype(np.uint8)).convert('P')
    stream = io.BytesIO()
    palette.save(stream, 'PNG', transparency=0)
    assert (decode_image(stream.getvalue(), 'P', background=(7, 7, 7))[GREY <= 99] == 7).all()


@pytest.mark.parametrize('file_format', ['PNG', 'TIFF'])
def test_opaque_alpha_changes_and_says_nothing(said, file_format):
    opaque = np.dstack([COLOUR, np.full((6, 9), 255, np.uint8)])
    assert np.array_equal(decode_image(encode(opaque, file_format), 'a'), COLOUR[..., ::-1])
    assert said == []


@pytest.mark.parametrize('orientation', range(1, 9))
def test_deep_and_transparent_files_are_turned_as_plain_ones(said, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    plain = decode_image(encode(GREY, exif=exif), 'plain')
    assert np.array_equal(plain[..., 0], turn(GREY, orientation))
    deep = GREY.astype(np.uint16) * 257
    deep[0, 0] = 65535
    stored = turn(deep >> 8, orientation)
    assert np.array_equal(decode_image(encode(deep, exif=exif), 'deep')[..., 0], stored)
    alpha = np.stack([GREY, np.where(GREY[0, 0] == GREY, 0, 255).astype(np.uint8)], axis=-1)
    found = decode_image(encode(alpha, exif=exif), 'alpha', background=(GREY[0, 0],) * 3)
    assert np.array_equal(found, plain)
    kept = decode_image(encode(deep, exif=exif), 'deep', flag='color_ignore_orientation')
    assert np.array_equal(kept[..., 0], deep >> 8)


@pytest.mark.parametrize('file_format', ['TIFF', 'GIF', 'WEBP'])
def test_of_a_stack_the_plane_is_chosen_or_the_first_is_read_with_a_warning(said, file_format):
    frames = [GREY, 255 - GREY, GREY // 2]
    options: dict = dict(lossless=True) if file_format == 'WEBP' else {}
    content = encode(
        frames[0], file_format, save_all=True, append_images=[*map(Image.fromarray, frames[1:])], **options
    )
    for plane in range(3):
        assert np.array_equal(decode_image(content, 'stack', plane=plane)[..., 1], frames[plane])
    assert said == []
    assert np.array_equal(decode_image(content, 'stack')[..., 0], GREY)
    assert len(said) == 1
    assert 'stack is a stack of 3 planes: only plane 0 is read' in said[0]
    with pytest.raises(ValueError, match='stack has no plane 3, expected 0 to 2'):
        decode_image(content, 'stack', plane=3)


def test_a_plane_of_16_bits_is_scaled_as_the_first(said):
    content = encode(DEEP, 'TIFF', save_all=True, append_images=[Image.fromarray(4095 - DEEP)])
    assert np.array_equal(decode_image(content, 'a', plane=1, value_range=(0, 4095))[..., 0], (4095 - DEEP) >> 4)


def test_plain_files_say_nothing(said):
    for content in (encode(GREY), encode(COLOUR, 'JPEG'), encode(COLOUR, 'TIFF'), encode(COLOUR, 'BMP')):
        decode_image(content, 'a')
    assert said == []


def test_a_tiff_with_a_broken_directory_is_refused_with_its_name():
    content = encode(DEEP, 'TIFF')
    for end in (8, 20, len(content) // 2):
        with pytest.raises(ValueError, match=r'bad\.tif'):
            decode_image(content[:end], 'bad.tif')


def test_floats_are_divided_into_256_equal_steps():
    values = np.array([-1, 0, 0.5, 0.999, 1, 2], np.float32)
    assert scale_to_8_bits(values, (0, 1)).tolist() == [0, 0, 128, 255, 255, 255]
