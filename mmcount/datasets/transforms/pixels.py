"""One rule for how the pixels of a file become 8-bit BGR."""

import io
import re
import warnings
from dataclasses import dataclass

import cv2
import numpy as np
from mmengine.logging import print_log
from PIL import Image, TiffImagePlugin

#: Formats whose files hold 8 bits and no alpha, and that are decoded once.
PLAIN_FORMATS = ('JPEG', 'MPO', 'BMP')
#: Formats of which the header does not say how many bits OpenCV will find.
_UNKNOWN_DEPTH = ('PPM', 'JPEG2000', 'AVIF', '')
_DEPTHS = (8, 10, 12, 14, 16)
_said: set[tuple] = set()


@dataclass
class StoredPixels:
    """What the header of an image file says of its pixels.

    Attributes:
        pixels: Height x width; None if it is not known.
        file_format: Pillow's name of the format; '' if Pillow does not read it.
        dtype: NumPy's name of the type of a pixel; '' if only decoding can tell.
        channels: Why the channels are no picture, else ''.
        alpha: '' for none, 'straight', or 'premultiplied'.
        inverted: Whether 0 is white.
        planes: Pages or frames that are pictures of their own.
        pages: All pages or frames, reduced copies included.
        orientation: EXIF orientation that has to be applied, 1 to 8.
    """

    pixels: int | None = None
    file_format: str = ''
    dtype: str = 'uint8'
    channels: str = ''
    alpha: str = ''
    inverted: bool = False
    planes: int = 1
    pages: int = 1
    orientation: int = 1

    @property
    def plain(self) -> bool:
        """Whether the usual decoding to 8 bits drops nothing."""
        return self.dtype == 'uint8' and not self.alpha


def read_header(content: bytes, plane: int = 0) -> StoredPixels:
    """Read what an image file says of its pixels, without decoding them.

    Args:
        content: The bytes of the file.
        plane: Page of a TIFF.
    """
    # a PNG that Pillow refuses is broken, and OpenCV refuses it too: one attempt is enough
    stored = StoredPixels(dtype='uint8' if content.startswith(b'\x89PNG') else '')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(io.BytesIO(content)) as img:
                stored.pixels, stored.file_format = img.width * img.height, img.format or ''
                stored.dtype = '' if stored.file_format in _UNKNOWN_DEPTH else 'uint8'
                if stored.file_format not in PLAIN_FORMATS:
                    # bit depth of a PNG: byte 24 of the file
                    if stored.file_format == 'PNG' and content[24:25] == b'\x10':
                        stored.dtype = 'uint16'
                    if img.has_transparency_data:
                        stored.alpha = 'straight'
                    if stored.file_format in ('GIF', 'WEBP', 'PNG'):
                        stored.planes = stored.pages = getattr(img, 'n_frames', 1)
                    # Pillow decodes a whole PNG in search of EXIF data behind the pixels; in front, info has it
                    if stored.file_format == 'PNG' and 'exif' in img.info:
                        stored.orientation = img.getexif().get(0x112, 1)
    except Image.DecompressionBombError as error:
        # Pillow refuses to even open above its own limit, but tells the number.
        found = re.search(r'\d+', str(error))
        stored.pixels = int(found.group()) if found else None
    except Exception:  # a broken file: whatever Pillow's readers raise, the decoder then says what is wrong
        pass
    if content[:4] in (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+'):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                return _read_tiff_header(content, plane)
        except Exception:  # as above
            return stored
    return stored


def _read_tiff_header(content: bytes, plane: int) -> StoredPixels:
    """Read the directories of a TIFF, of any number of channels and type of pixels."""
    stream = io.BytesIO(content)
    directory = TiffImagePlugin.ImageFileDirectory_v2(content[: 16 if b'+' in content[2:4] else 8])
    offset = directory.next
    seen: set[int] = set()
    pages: list[bool] = []
    tags: dict = {}
    while offset and offset not in seen and len(seen) < 100_000:
        seen.add(offset)
        stream.seek(offset)
        directory.load(stream)
        # bit 0 of NewSubfileType: a smaller copy of another page, no plane
        pages.append(not int(directory.get(254, 0)) & 1 or len(seen) == 1)
        if len(seen) == 1 or len(seen) - 1 == plane:
            tags = {key: directory[key] for key in (256, 257, 258, 262, 277, 284, 338, 339) if key in directory}
        offset = directory.next

    def first(key: int, default: int) -> int:
        value = tags.get(key, default)
        return int(value[0] if isinstance(value, tuple) else value)

    samples, photometric, bits = first(277, 1), first(262, 1), first(258, 1)
    kind = {2: 'int', 3: 'float'}.get(first(339, 1), 'uint')
    extra = first(338, -1)
    has_alpha = extra in (1, 2) and samples == (4 if photometric == 2 else 2)
    channels = ''
    if samples > 1 and not has_alpha and (photometric <= 1 or samples != (4 if photometric == 5 else 3)):
        names = {0: 'grey', 1: 'grey', 2: 'RGB'}
        channels = f'{samples} channels ({names.get(photometric, f"photometric {photometric}")} and unnamed ones)'
    elif samples > 1 and bits > 8 and first(284, 1) == 2:
        channels = f'{samples} channels of {bits} bits stored one after the other'
    return StoredPixels(
        pixels=first(256, 0) * first(257, 0),
        file_format='TIFF',
        dtype='uint8' if kind == 'uint' and bits <= 8 else f'{kind}{16 if 8 < bits < 16 else bits}',
        channels=channels,
        # libtiff multiplies 8-bit colours by alpha while it reads them
        alpha='' if not has_alpha else 'premultiplied' if extra == 1 or (bits == 8 and samples == 4) else 'straight',
        inverted=photometric == 0,
        planes=sum(pages),
        pages=len(pages),
    )


def decode_plane(content: bytes, stored: StoredPixels, plane: int, keep_orientation: bool) -> np.ndarray | None:
    """Decode one plane as stored: (H, W), (H, W, 3) BGR or (H, W, 4) BGRA of any type; None if it cannot be.

    Args:
        content: The bytes of the file.
        stored: Its header.
        plane: Page of a TIFF, or frame of an animation.
        keep_orientation: Whether to leave the EXIF orientation of Pillow's formats as it is.
    """
    try:
        raw = _decode(content, stored, plane)
    except Exception:  # the decoders raise whatever their library does
        raw = None
    return raw if raw is None or keep_orientation else turn(raw, stored.orientation)


def _decode(content: bytes, stored: StoredPixels, plane: int) -> np.ndarray | None:
    data, raw = np.frombuffer(content, np.uint8), None
    if not plane:
        raw = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    elif stored.file_format == 'TIFF':
        _, found = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(plane, plane + 1))
        raw = found[0] if found else None
    if (plane and stored.file_format != 'TIFF') or (stored.alpha and stored.dtype == 'uint8' and _no_alpha(raw)):
        with Image.open(io.BytesIO(content)) as img:
            img.seek(plane)
            raw = cv2.cvtColor(np.asarray(img.convert('RGBA')), cv2.COLOR_RGBA2BGRA)
    return raw


def opaque(raw: np.ndarray) -> bool:
    """Whether no pixel of a decoded plane is transparent."""
    if _no_alpha(raw):
        return True
    full = np.iinfo(raw.dtype).max if raw.dtype.kind in 'iu' else 1.0
    return bool(raw[..., 3].min() >= full)


def _no_alpha(raw: np.ndarray | None) -> bool:
    return raw is None or raw.ndim == 2 or raw.shape[2] != 4


def turn(img: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an array (H, W, ...) as an EXIF orientation asks.

    Example:
        >>> turn(np.array([[1, 2]]), 6).tolist()
        [[1], [2]]
    """
    if orientation in (2, 3, 7, 8):
        img = img[:, ::-1]
    if orientation in (3, 4, 6, 7):
        img = img[::-1]
    return img.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else img


def scale_to_8_bits(img: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Divide a range of values into 256 equal steps; what lies outside becomes 0 or 255.

    For ``(0, 2**n - 1)`` these are the upper 8 of n bits.

    Args:
        img: Integers or finite floats of any shape.
        value_range: Values that become 0 and 255.

    Example:
        >>> scale_to_8_bits(np.array([0, 16, 4095, 5000], np.uint16), (0, 4095)).tolist()
        [0, 1, 255, 255]
    """
    low, high = value_range
    whole = img.dtype.kind in 'iu'
    values = np.arange(65536, dtype=np.float64) if img.dtype == np.uint16 else img.astype(np.float64)
    steps = np.floor((values - low) * 256 / (high - low + whole)).clip(0, 255).astype(np.uint8)
    return steps[img] if img.dtype == np.uint16 else steps


def to_8_bit_bgr(
    raw: np.ndarray,
    stored: StoredPixels,
    name: str,
    value_range: tuple[float, float] | None = None,
    background: tuple[int, int, int] = (255, 255, 255),
) -> np.ndarray:
    """Convert the pixels of a file to (H, W, 3) uint8 BGR.

    Args:
        raw: (H, W), (H, W, 3) BGR or (H, W, 4) BGRA.
        stored: The header of the file.
        name: Name of the image in messages.
        value_range: Values that become 0 and 255, of pixels that are not uint8. None: of uint16 the bit depth that
            the largest value needs (8, 10, 12, 14 or 16); other types are refused.
        background: R, G, B in 0..255 below transparent pixels.

    Raises:
        ValueError: The range of values is not known, or a value is not finite.
    """
    raw = raw[..., None] if raw.ndim == 2 else raw
    colour, alpha = (raw[..., :3], raw[..., 3:]) if raw.shape[2] == 4 else (raw, None)
    if colour.dtype != np.uint8:
        colour = _squeeze(colour, name, value_range, stored.inverted)
    if colour.shape[2] == 1:
        colour = np.repeat(colour, 3, axis=2)
    if alpha is None:
        return np.ascontiguousarray(colour)
    if opaque(raw):
        return np.ascontiguousarray(colour)
    warn_once(
        ('alpha', background),
        f'{name} is not fully opaque: its transparent pixels are shown on the background {tuple(background)} (R, G, '
        'B), not in their hidden colour; set background of LoadImage if that is not how your images were meant',
    )
    full = np.iinfo(alpha.dtype).max if alpha.dtype.kind in 'iu' else 1.0
    weight = (alpha / full).astype(np.float32)
    below = np.array(background[::-1], np.float32) * (1 - weight)
    shown = colour + below if stored.alpha == 'premultiplied' else colour * weight + below
    return shown.round().clip(0, 255).astype(np.uint8)


def _squeeze(img: np.ndarray, name: str, value_range: tuple[float, float] | None, inverted: bool) -> np.ndarray:
    """Pixels of another type than uint8 as uint8."""
    smallest, largest = img.min(), img.max()
    if not (np.isfinite(smallest) and np.isfinite(largest)):
        raise ValueError(f'image {name} has {img.dtype} pixels that are not finite numbers')
    if value_range is None:
        if img.dtype != np.uint16:
            raise ValueError(
                f'image {name} has {_type_name(img.dtype.name)} from {smallest} to {largest}, expected unsigned 8 or '
                '16 bits: state which values are black and white with value_range=(low, high) of LoadImage'
            )
        bits = next(depth for depth in _DEPTHS if int(largest) < 2**depth)
        value_range = (0, 2**bits - 1)
        warn_once(
            ('range', bits),
            f'{name} has 16-bit pixels from {smallest} to {largest}: read as {bits}-bit data, 0 to {value_range[1]} '
            'become 0 to 255. Files of one camera whose largest values need another number of bits get another range; '
            'set value_range=(low, high) of LoadImage to state one for all',
        )
    elif smallest < value_range[0] or largest > value_range[1]:
        warn_once(
            ('clipped', value_range),
            f'{name} has values from {smallest} to {largest}, outside value_range={value_range}: they are clipped',
        )
    img = scale_to_8_bits(img, value_range)
    return 255 - img if inverted else img


def _type_name(dtype: str) -> str:
    kind, bits = re.sub(r'\d', '', dtype), re.sub(r'\D', '', dtype)
    return f'{bits}-bit pixels ({dict(int="signed", uint="unsigned").get(kind, kind)}, {dtype})'


def check_stored(stored: StoredPixels, name: str, plane: int | None, value_range: tuple[float, float] | None) -> None:
    """Refuse what cannot become one picture, and say what is dropped.

    Raises:
        ValueError: The pixels have a type that needs a range or cannot be decoded, the channels are no picture, or
            there is no such plane.
    """
    if plane is not None and plane >= stored.pages:
        raise ValueError(f'image {name} has no plane {plane}, expected 0 to {stored.pages - 1}')
    if stored.channels:
        raise ValueError(
            f'image {name} has {stored.channels}, expected grey, RGB, or either with alpha: save the channels to count '
            'in as an 8 or 16-bit grey or RGB image'
        )
    if stored.dtype in ('float16', 'uint32', 'uint64', 'int64', 'float24'):
        raise ValueError(f'image {name} has {_type_name(stored.dtype)}, which are not read: save it with 8 or 16 bits')
    if stored.dtype not in ('', 'uint8', 'uint16') and value_range is None:
        raise ValueError(
            f'image {name} has {_type_name(stored.dtype)}, expected unsigned 8 or 16 bits: state which values are '
            'black and white with value_range=(low, high) of LoadImage'
        )
    if plane is None and stored.planes > 1:
        warn_once(
            ('plane', stored.planes),
            f'{name} is a stack of {stored.planes} planes: only plane 0 is read; set plane of LoadImage to choose, or '
            'save the planes as images of their own to count in all',
        )


def warn_once(key: tuple, text: str) -> None:
    """Log a warning the first time that the process meets ``key``."""
    if key not in _said:
        _said.add(key)
        print_log(f'{text} (said once for all images of this kind)', logger='current', level=30)
