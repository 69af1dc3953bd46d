"""Options of one call of :class:`mmcount.apis.CountInferencer`."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from mmcount.models.tiling import MapTiles
from mmcount.structures.sample_fields import SCORE_THR
from mmcount.utils.atomic import check_writable
from mmcount.utils.errors import SettingError

Tile = int | tuple[int, int] | Literal['auto'] | None


@dataclass
class CountOptions:
    """How images are counted and what is written.

    Args:
        batch_size: Images that run together; images of one batch that differ in size run one group after the other.
        score_thr: Lowest score of a detector's box that counts.
        calibrated: Count with the line that was fitted on labelled images.
        overlay: Folder of the overlays, ``<name of the image>.png``; None writes none.
        csv: File that gets a row for every image and class, see :class:`mmcount.apis.ResultFiles`.
        objects_csv: File that gets a row for every object.
        json: File that gets the results as a list, see :meth:`mmcount.apis.CountResult.to_dict`.
        coco: File that gets images, classes and objects in the layout of COCO.
        resume: Continue an interrupted ``csv`` and the files beside it; images that are in it are not counted again and
            not returned. The other options and the inputs have to be the same.
        return_density: Keep the density of each image: one float32 per cell of the map and class.
        tile: Largest side, or height and width, in pixels that the network sees at once: the same counts with less
            memory, for counters that allow it. 'auto' takes tiles of 1024 px if the model allows it, and else the whole
            image. None does what ``test_cfg.tiles`` of the model says.
        tile_mode: 'exact', or 'average' for IIM as published, see :class:`mmcount.models.tiling.MapTiles`.
        scale: Factor by which images are resized before they are counted; places are given in the original image. For
            pictures of another magnification than the model was trained on.
        object_size: Diameter of the objects in the images, pixels; sets ``scale`` for a model that says how large the
            objects were that it was trained on.

    Raises:
        ValueError: An option is not valid, or a file cannot be written.
    """

    batch_size: int = 1
    score_thr: float = SCORE_THR
    calibrated: bool = False
    overlay: str | Path | None = None
    csv: str | Path | None = None
    objects_csv: str | Path | None = None
    json: str | Path | None = None
    coco: str | Path | None = None
    resume: bool = False
    return_density: bool = True
    tile: Tile = None
    tile_mode: Literal['exact', 'average'] = 'exact'
    scale: float | None = None
    object_size: float | None = None
    tiles: MapTiles | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {self.batch_size}')
        if self.resume and self.csv is None:
            raise ValueError('resume needs csv: it is what says which images are done')
        if isinstance(self.tile, str) and self.tile != 'auto':
            raise ValueError(f"tile must be 'auto', one number, or height and width, got {self.tile!r}")
        if isinstance(self.tile, (tuple, list)) and len(self.tile) != 2:
            raise ValueError(f'tile must be one number, or height and width, got {self.tile}')
        if self.scale is not None and self.object_size is not None:
            raise ValueError('scale and object_size say the same in two ways: give one of them')
        for name in ('scale', 'object_size'):
            value = getattr(self, name)
            if value is not None and not 0 < value < float('inf'):
                raise ValueError(f'{name} must be above 0, got {value}')
        for file in (self.csv, self.objects_csv, self.json, self.coco):
            if file is not None:
                check_writable(file)
        if self.overlay is not None:
            check_writable(self.overlay, folder=True)

    def overlay_file(self, name: str) -> str | None:
        """The file that gets the overlay of an image."""
        return None if self.overlay is None else os.path.join(self.overlay, f'{name}.png')


def checked_device(device: str | None) -> str:
    """The device that models run on, if it is there: CUDA where there is one, else the CPU, if None is stated.

    Raises:
        SettingError: There is no such device.

    Example:
        >>> checked_device('cpu')
        'cpu'
    """
    if device is None:
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        if torch.device(device).type == 'meta':
            raise RuntimeError('it holds no values')
        torch.empty(1, device=device).cpu()
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        here = ['cpu', *(f'cuda:{index}' for index in range(torch.cuda.device_count()))]
        raise SettingError(f'device {device!r} cannot be used ({reason}); found {", ".join(here)}') from error
    return str(device)


def parse_tile(text: str) -> Tile:
    """A tile as it is written on a command line: ``auto``, ``512``, or height and width as ``512x1024``.

    Raises:
        ValueError: It is none of these.

    Example:
        >>> parse_tile('auto'), parse_tile('512'), parse_tile('512x1024')
        ('auto', 512, (512, 1024))
    """
    if text == 'auto':
        return 'auto'
    sides = text.lower().split('x')
    if not 1 <= len(sides) <= 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise ValueError(f"tile must be 'auto', a number as 512, or height and width as 512x1024, got {text!r}")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))
