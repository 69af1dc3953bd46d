"""Tiny trees in the original layout of each crowd data set."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

SIZE = (24, 32)  # height, width


def photo(path, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(path)


class Trees:
    """Writers of one image each; a head is (x, y), with a box of 4 x 6 px around it where the set has boxes."""

    size = SIZE

    def __init__(self, root: Path):
        self.root = root

    def nwpu(self, name, heads, part=None, folder='images', as_mat=False, extra='1 2'):
        photo(self.root / folder / f'{name}.jpg')
        boxes = [[x - 2, y - 3, x + 2, y + 3] for x, y in heads]
        if as_mat:
            (self.root / 'mats').mkdir(exist_ok=True)
            arrays = dict(annPoints=np.reshape(heads, (-1, 2)), annBoxes=np.reshape(boxes, (-1, 4)))
            savemat(self.root / 'mats' / f'{name}.mat', arrays)
        else:
            (self.root / 'jsons').mkdir(exist_ok=True)
            content = dict(img_id=f'{name}.jpg', human_num=len(heads), points=[list(h) for h in heads], boxes=boxes)
            (self.root / 'jsons' / f'{name}.json').write_text(json.dumps(content))
        if part:
            with open(self.root / f'{part}.txt', 'a') as stream:
                stream.write(f'{name} {extra}\n')

    def shanghaitech(self, name, heads, part='train', folder='ground-truth', number=None):
        photo(self.root / f'{part}_data' / 'images' / f'{name}.jpg')
        (self.root / f'{part}_data' / folder).mkdir(parents=True, exist_ok=True)
        struct = np.array(
            [[(np.reshape(heads, (-1, 2)).astype(float), np.array([[len(heads) if number is None else number]]))]],
            dtype=[('location', object), ('number', object)],
        )
        info = np.empty((1, 1), object)
        info[0, 0] = struct
        savemat(self.root / f'{part}_data' / folder / f'GT_{name}.mat', dict(image_info=info))

    def qnrf(self, name, heads, part='Train'):
        photo(self.root / part / f'{name}.jpg')
        savemat(self.root / part / f'{name}_ann.mat', dict(annPoints=np.reshape(heads, (-1, 2)).astype(float)))

    def jhu(self, name, heads, part='train', label='street,0,0', stated=None):
        photo(self.root / part / 'images' / f'{name}.jpg')
        (self.root / part / 'gt').mkdir(parents=True, exist_ok=True)
        rows = ''.join(f'{x} {y} 4 6 {1 + index % 3} {index % 2} \n' for index, (x, y) in enumerate(heads))
        (self.root / part / 'gt' / f'{name}.txt').write_text(rows)
        with open(self.root / part / 'image_labels.txt', 'a') as stream:
            stream.write(f'{name},{len(heads) if stated is None else stated},{label}\n')

    def fdst(self, video, frame, heads, part='train'):
        folder = self.root / f'{part}_data' / video
        photo(folder / f'{frame}.jpg')
        shapes = [{'name': 'rect', 'x': x - 2, 'y': y - 3, 'width': 4, 'height': 6} for x, y in heads]
        regions = [{'shape_attributes': shape, 'region_attributes': {}} for shape in shapes]
        content = {f'{frame}.jpg123': {'filename': f'{frame}.jpg', 'size': 123, 'regions': regions}}
        (folder / f'{frame}.json').write_text(json.dumps(content))

    def whole(self, name, test_heads, train_heads=None):
        """Train and test images (and validation, where it is official) of a data set by the name of its config."""
        for index in range(4):
            number = index + 1
            heads = test_heads if index == 3 or train_heads is None else train_heads
            if name.startswith('shanghaitech'):
                self.shanghaitech(f'IMG_{number}', heads, 'test' if index == 3 else 'train')
            elif name == 'qnrf':
                self.qnrf(f'img_{number:04d}', heads, 'Test' if index == 3 else 'Train')
            elif name == 'fdst':
                self.fdst(str(number), '001', heads, 'test' if index == 3 else 'train')
            else:
                part = ('train', 'train', 'val', 'test')[index]
                getattr(self, name)(f'{number:04d}', heads, part)
