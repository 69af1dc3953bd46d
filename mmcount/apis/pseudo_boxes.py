"""Boxes for data sets that have points only, by a network that knows how large objects are."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from rich.progress import track

from mmcount.apis.dataset_converters.points_export import name_below, shortest_decimal
from mmcount.datasets import CountDataset, CrowdDataset
from mmcount.models.heads import ScaleMapHead
from mmcount.models.tiling import MapTiles
from mmcount.registry import DATASETS
from mmcount.utils import register_all_modules
from mmcount.utils.atomic import write_atomic
from mmcount.version import __version__

from .growing_files import GrowingCsv, partial_path, read_rows
from .image_predictor import describe
from .inferencer import CountInferencer

COLUMNS = ('image', 'x', 'y', 'class', 'x1', 'y1', 'x2', 'y2')
#: Height and width of a tile where the config names none, as published.
TILE = (768, 1024)
CODEC_OPTIONS = ('window', 'step', 'round_log', 'smooth', 'min_log_area')


@dataclass
class PseudoBoxReport:
    """Numbers of images by outcome.

    Attributes:
        images: Images whose points have boxes now, those of an earlier run and those without points too.
        boxes: Boxes in the file.
        unlabelled: Images without annotation; they are not in the file.
        failed: Images that got no boxes, and why.
    """

    images: int = 0
    boxes: int = 0
    unlabelled: int = 0
    failed: dict[str, str] = field(default_factory=dict)


class PseudoBoxer:
    """Square boxes at the points of images, by a trained scale network.

    Gao et al., "Learning Independent Instance Maps for Crowd Localization", 2020: see
    :class:`mmcount.codecs.ScaleMapCodec`. Large images are seen in tiles (``test_cfg.tiles`` of the model, else
    768 x 1024 px), whose maps are merged before any point is looked up, so memory is bounded by the tile but for the
    image and its map.

    Args:
        config: File of the config of a counter with a :class:`mmcount.models.ScaleMapHead`, or the config.
        weights: Its checkpoint.
        device: None takes CUDA where there is one, else the CPU.
        scale: Factor on the images before the network sees them: 2 in IIM for ShanghaiTech. Boxes come back in pixels
            of the original image.
        **codec: ``window``, ``step``, ``round_log``, ``smooth`` and ``min_log_area`` in place of those of the config:
            window=249 in IIM for UCF-QNRF.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: The model is no scale network, the weights do not fit it, or an option is not valid.

    Example:
        ::

            boxes = PseudoBoxer('scale-map.py', 'scale-map.pth')(dict(img_path='a.jpg', points=[[10, 20]], labels=[0]))
    """

    def __init__(
        self, config: Any, weights: str | Path | None, device: str | None = None, scale: float = 1.0, **codec: Any
    ) -> None:
        if not scale > 0:
            raise ValueError(f'scale must be positive, got {scale}')
        unknown = set(codec) - set(CODEC_OPTIONS)
        if unknown:
            raise ValueError(f'codec options are {CODEC_OPTIONS}, got {sorted(unknown)}')
        self._inferencer = CountInferencer(config, weights, device, show_progress=False)
        self.model = self._inferencer.model
        head = getattr(self.model, 'head', None)
        if not isinstance(head, ScaleMapHead):
            raise ValueError(
                f'pseudo boxes need a counter with a ScaleMapHead, got a {type(self.model).__name__} with '
                f'{type(head).__name__}'
            )
        given = {key: value for key, value in codec.items() if value is not None}
        options = {key: getattr(head.codec, key) for key in CODEC_OPTIONS}
        own: dict[str, Any] = dict(
            overlap=head.codec.overlap, num_classes=head.codec.num_classes, stride=head.codec.stride
        )
        head.codec = type(head.codec)(**own, **{**options, **given})
        self.scale = float(scale)
        self.tiles: MapTiles = self.model.tiles or MapTiles(mode='average', size=TILE)

    def settings(self) -> dict[str, Any]:
        """Everything that the boxes depend on beside the data."""
        codec = self.model.head.codec
        return dict(
            mmcount_version=__version__,
            model=self._inferencer.model_name,
            weights_sha256=self._inferencer.weights_sha256,
            scale=self.scale,
            tile=list(self.tiles.size),
            **{key: getattr(codec, key) for key in CODEC_OPTIONS},
        )

    @torch.no_grad()
    def __call__(self, info: dict[str, Any]) -> np.ndarray:
        """Boxes of one image.

        Args:
            info: Of a :class:`mmcount.datasets.CountDataset`: ``img_path`` or ``img``, ``points`` (N, 2), ``labels``
                (N,).

        Returns:
            (N, 4) float64 xyxy in pixel edges of the original image, in the order of the points.

        Raises:
            ValueError: The image cannot be read, or the points do not fit.
        """
        points = np.asarray(info['points'], dtype=np.float64).reshape(-1, 2)
        if not len(points):
            return np.zeros((0, 4))
        results = {key: info[key] for key in ('img_path', 'img', 'img_id') if key in info}
        results = self._inferencer.loader({'img_id': 'image', **results})
        image, factor = results['img'], np.ones(2)
        if self.scale != 1:
            size = [max(round(side * self.scale), 1) for side in image.shape[1::-1]]
            factor = np.array(size) / image.shape[1::-1]
            image = mmcv.imresize(image, tuple(size))
        results.update(img=image.copy(), img_shape=image.shape[:2], ori_shape=image.shape[:2])
        results.update(height=image.shape[0], width=image.shape[1])
        packed = self._inferencer.pipeline(results)
        sample = packed['data_samples']
        sample.gt_instances = InstanceData(
            points=torch.from_numpy((points + 0.5) * factor - 0.5), labels=torch.as_tensor(np.asarray(info['labels']))
        )
        data = self.model.data_preprocessor(dict(inputs=[packed['inputs']], data_samples=[sample]), False)
        found = self.model.predict(data['inputs'], data['data_samples'], tiles=self.tiles)[0]
        return found.pred_instances.bboxes.double().cpu().numpy() / np.tile(factor, 2)


def point_datasets(cfg: Any, phases: Sequence[str]) -> list[CountDataset]:
    """The data sets of some phases of a config, as they are in their files.

    Heads outside of the image and duplicates are kept, so that every head of the annotation has its box whatever is
    done about them later.

    Args:
        cfg: A config with ``train_dataloader`` and the like.
        phases: Of 'train', 'val', 'test'.

    Raises:
        ValueError: The config has no such phase, or its data set is of another kind.
    """
    register_all_modules()
    datasets = []
    for phase in phases:
        loader = cfg.get(f'{phase}_dataloader')
        if loader is None:
            raise ValueError(f'{cfg.filename} has no {phase}_dataloader')
        settings = {**loader['dataset'], 'pipeline': []}
        kind = DATASETS.get(settings['type'])
        if isinstance(kind, type) and issubclass(kind, CrowdDataset):
            settings.update(outside='keep', duplicates='keep', boxes_file=None)
        dataset = DATASETS.build(settings)
        if not isinstance(dataset, CountDataset):
            raise ValueError(f'the {phase} data set of {cfg.filename} is a {type(dataset).__name__}, no CountDataset')
        datasets.append(dataset)
    return datasets


def write_pseudo_boxes(
    boxer: PseudoBoxer,
    datasets: Sequence[CountDataset],
    out: str | Path,
    image_root: str | Path | None = None,
    resume: bool = False,
    show_progress: bool = True,
) -> PseudoBoxReport:
    """Write a table ``image,x,y,class,x1,y1,x2,y2`` with a box for every point of data sets.

    ``PointsCSVDataset`` reads it as it is, and every crowd data set as its ``boxes_file``. Rows go to
    ``<out>.partial``, which gets its name at the end; ``<out>.meta.json`` says how the boxes were made and which
    images failed. A bad image is logged and left out; it does not end the run.

    Args:
        boxer: The network.
        datasets: Data sets of image files with points; an image that is in several is done once.
        out: The table.
        image_root: The folder that image names are relative to; by default ``data_root`` of each data set.
        resume: Go on with an interrupted table, or try the failed images of a finished one again.
        show_progress: Show a bar.

    Raises:
        ValueError: The interrupted table was made with other settings.
    """
    out = Path(out)
    images = dict(_images(datasets, image_root))
    report = PseudoBoxReport(unlabelled=sum(info.get('points') is None for _, info in images.values()))
    images = {name: one for name, one in images.items() if one[1].get('points') is not None}
    done = _done(out, boxer.settings(), images) if resume else None
    _write_meta(out, boxer.settings(), {})
    table = GrowingCsv(out, COLUMNS, list, done)
    complete = False
    try:
        names = [name for name in images if done is None or name not in done]
        for name in track(names, description='Pseudo boxes', disable=not show_progress):
            dataset, info = images[name]
            try:
                rows = _rows(name, dataset, info, boxer(info))
            except Exception as error:
                report.failed[name] = describe(error)
                print_log(f'Skipping {name}: {report.failed[name]}', logger='current', level=30)
                continue
            table.write(rows)
        complete = True
    finally:
        table.close(complete)
    made = [info for name, (_, info) in images.items() if name not in report.failed]
    report.images, report.boxes = len(made), sum(len(info['points']) for info in made)
    _write_meta(out, boxer.settings(), report.failed)
    return report


def _images(
    datasets: Sequence[CountDataset], image_root: str | Path | None
) -> Iterator[tuple[str, tuple[CountDataset, dict[str, Any]]]]:
    for dataset in datasets:
        root = str(Path(image_root or dataset.data_root or '.').absolute())
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            yield name_below(info, root), (dataset, info)


def _rows(name: str, dataset: CountDataset, info: dict[str, Any], boxes: np.ndarray) -> list[list[str]]:
    classes = dataset.metainfo['classes']
    return [
        [
            name,
            *map(shortest_decimal, point),
            classes[label],
            *(f'{value:.3f}'.rstrip('0').rstrip('.') for value in box),
        ]
        for point, label, box in zip(info['points'], info['labels'], boxes.tolist(), strict=True)
    ]


def _meta_path(out: Path) -> Path:
    return Path(f'{out}.meta.json')


def _write_meta(out: Path, settings: dict[str, Any], failed: dict[str, str]) -> None:
    write_atomic(_meta_path(out), json.dumps({**settings, 'failed': failed}, indent=1) + '\n')


def _done(out: Path, settings: dict[str, Any], images: dict[str, Any]) -> set[str] | None:
    """The images that an earlier run finished; None where there was none."""
    partial = partial_path(out)
    finished = not partial.is_file()
    if finished:
        if not out.is_file():
            return None
        shutil.copyfile(out, partial)
    meta = json.loads(_meta_path(out).read_text()) if _meta_path(out).is_file() else {}
    other = {key: meta.get(key) for key, value in settings.items() if meta.get(key) != value}
    if other:
        if finished:
            partial.unlink()
        raise ValueError(f'{out} was made with {other}, not with { ({key: settings[key] for key in other}) }')
    numbers: dict[str, int] = {}
    last = ''
    for row in read_rows(partial, COLUMNS):
        numbers[row[0]] = numbers.get(row[0], 0) + 1
        last = row[0]
    if not finished:
        numbers.pop(last, None)  # its last number may have been cut short
    return {name for name, number in numbers.items() if name in images and len(images[name][1]['points']) == number}


def report_text(report: PseudoBoxReport) -> str:
    """Summary of a run for people."""
    numbers = asdict(report)
    lines = [f'{numbers["boxes"]} boxes of {numbers["images"]} images']
    if report.unlabelled:
        lines.append(f'{report.unlabelled} images have no annotation and are not in the file')
    lines += [f'no boxes: {name}: {reason}' for name, reason in report.failed.items()]
    return '\n'.join(lines)
