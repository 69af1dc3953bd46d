"""Write what the network gets as PNG files: the image after the pipeline, its points, its target map and its counts.

Usage: ``python tools/analysis_tools/browse_dataset.py CONFIG [--phase val] [--number 20] [--output-dir browse]``
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmcount.engine.config import read_config
from mmcount.engine.hooks.count_visualization_hook import file_stem
from mmcount.engine.option_action import OptionAction
from mmcount.registry import DATASETS
from mmcount.structures import CountDataSample
from mmcount.utils.setup_env import register_all_modules
from mmcount.visualization import PanelStyle, write_image
from mmcount.visualization.panels import sample_panels


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('--phase', choices=('train', 'val', 'test'), default='train')
    parser.add_argument('--number', type=int, default=10, help='images, from the first one; 0 means all')
    parser.add_argument('--output-dir', type=Path, default=Path('work_dirs/browse'))
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, help='settings over the config, key=value')
    return parser.parse_args()


def to_image(inputs: Any) -> np.ndarray:
    """The (3, H, W) BGR tensor of a pipeline as an (H, W, 3) uint8 RGB array."""
    array = inputs.detach().cpu().numpy().transpose(1, 2, 0)
    return cv2.cvtColor(np.ascontiguousarray(np.clip(array, 0, 255).astype(np.uint8)), cv2.COLOR_BGR2RGB)


def describe(sample: CountDataSample, classes: Sequence[str] = ()) -> str:
    """One line about a sample; of many classes, those that it shows. ``5+`` stands for "5 or more"."""
    counts, limit = [], sample.get('count_limit', np.inf)
    for label, value in enumerate(sample.gt_counts.tolist() if 'gt_counts' in sample else ()):
        number = f'{value:g}+' if value > limit else f'{value:g}'
        if len(classes) < 2:
            counts.append(number)
        elif value:
            counts.append(f'{classes[label]} {number}')
    unknown = 'unknown' if 'gt_counts' not in sample else 'none'
    words = [f'counts {", ".join(counts) or unknown}']
    if 'gt_map' in sample:
        data = sample.gt_map.data
        words.append(f'map {tuple(data.shape)} sum {float(data.sum()):.4g} max {float(data.max()):.4g}')
    return '  '.join(words)


def main() -> None:
    """Write the pictures of one phase of a config."""
    args = parse_args()
    cfg = read_config(args.config, args.cfg_options)
    register_all_modules()
    loader = cfg.get(f'{args.phase}_dataloader')
    if loader is None:
        raise SystemExit(f'ERROR: {args.config} has no {args.phase}_dataloader')
    dataset = DATASETS.build(loader['dataset'])
    metainfo = dataset.metainfo
    style = PanelStyle(classes=metainfo.get('classes'), palette=metainfo.get('palette'))
    number = min(args.number or len(dataset), len(dataset))
    for index in range(number):
        item = dataset[index]
        sample = item['data_samples']
        path = args.output_dir / f'{args.phase}_{index:04d}_{file_stem(str(sample.get("img_id", index)))}.png'
        write_image(str(path), sample_panels(to_image(item['inputs']), sample, style))
        print(f'{path}  {describe(sample, metainfo.get("classes", ()))}')


if __name__ == '__main__':
    main()
