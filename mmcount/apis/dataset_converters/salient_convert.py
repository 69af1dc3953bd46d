"""The salient object data sets in COCO's layout."""

import os
from typing import Any

from mmcount.datasets.formats.images import image_size
from mmcount.datasets.salient import MSO, SOS


def salient_to_coco(dataset: SOS | MSO) -> dict[str, Any]:
    """Turn a salient object data set into COCO's layout: one category, and the label of each image in ``count_label``.

    ``bbox`` is [x, y, width, height] in px, as :class:`MSO` reads the corners; SOS has no boxes. Ids of images and
    annotations are numbered from 1 in the order of the data set.

    Args:
        dataset: The data set, of any subset.

    Returns:
        ``images``, ``annotations``, ``categories``.

    Raises:
        AnnotationError: An image cannot be read.

    Example:
        >>> content = salient_to_coco(MSO(data_root='data/MSO'))  # doctest: +SKIP
        >>> len(content['images']), content['images'][0]['count_label']  # doctest: +SKIP
        (1224, 1)
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(1, len(dataset) + 1):
        info = dataset.get_data_info(number - 1)
        height, width = (info['height'], info['width']) if 'height' in info else image_size(info['img_path'])
        name = os.path.relpath(info['img_path'], dataset.data_prefix['img'])
        label = int(info['image_counts'][0])
        images.append({'id': number, 'file_name': name, 'height': height, 'width': width, 'count_label': label})
        for x1, y1, x2, y2 in info.get('bboxes', ()):
            box = [float(value) for value in (x1, y1, x2 - x1, y2 - y1)]
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': number,
                    'category_id': 1,
                    'bbox': box,
                    'area': box[2] * box[3],
                    'iscrowd': 0,
                }
            )
    return {'images': images, 'annotations': annotations, 'categories': [{'id': 1, 'name': 'salient'}]}
