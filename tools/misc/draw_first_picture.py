"""Draw what a model that comes along counts in a generated scene: the first picture of the README.

Usage: ``python tools/misc/draw_first_picture.py digits docs/en/images/digits-counted.png --index 2``
"""

import argparse

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from mmcount import CountInferencer
from mmcount.utils.config_files import config_path
from mmcount.zoo import model_card


def scene_of(recipe: str, index: int) -> tuple[np.ndarray, int]:
    """An (H, W, 3) BGR test scene of a recipe, and how many objects are in it."""
    cfg = Config.fromfile(config_path(recipe))
    init_default_scope(cfg.get('default_scope', 'mmcount'))
    dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, pipeline=[]))
    info = dataset.get_data_info(index)
    return info['img'], len(info['points'])


def main() -> None:
    """Count, draw, and say what was right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('model', help='name of a model, see `mmcount zoo list`')
    parser.add_argument('out', help='PNG file')
    parser.add_argument('--index', type=int, default=2, help='number of the test scene of its recipe')
    args = parser.parse_args()
    counter = CountInferencer(args.model, device='cpu', show_progress=False)
    image, number = scene_of(model_card(args.model).recipe, args.index)
    result = counter(image)[0]
    result.image = f'generated scene, {number} objects'
    result.plot().save(args.out)
    print(f'{args.out}: {result.summary()}, {number} are in the scene')


if __name__ == '__main__':
    main()
