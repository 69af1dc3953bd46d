"""A user's own folder of images with a table of counts."""

from typing import Any

import numpy as np

from mmcount.registry import DATASETS

from .formats.counts_table import read_counts_csv
from .table_dataset import TableDataset


@DATASETS.register_module()
class CountsCSVDataset(TableDataset):
    r"""Images and one table of the number of objects of each class, without places.

    The table has a line ``image,class,count`` for every image and class (``image,count`` for one class), or a line
    ``image,<class 1>,<class 2>,...`` for every image. A pair without a line, and an image without any, count **zero**;
    which images are labelled is decided by the folder or a list file, as in :class:`PointsCSVDataset`, whose
    separators, quotes and names of columns hold here too. ``image`` is the path below the image folder. A table of
    another format needs a function that reads it into a :class:`~mmcount.datasets.formats.CountTable`, given as
    ``read``.

    Args:
        ann_file: The table, relative to ``data_root``.
        images: ``None`` or 'folder' for every image below the image folder, or a text file (relative to
            ``data_root``) with one labelled image per line.
        metainfo: ``dict(classes=(...))`` fixes classes and their order, and which columns of a table with a column
            per class are counts. Without it the classes are those of the table: its columns in their order, or its
            ``class`` entries sorted.
        **kwargs: As :class:`CountDataset`; ``data_prefix=dict(img=...)`` is the image folder below ``data_root``.

    Raises:
        AnnotationError: Table or list are malformed or do not fit the images; names file and line.
        FileNotFoundError: The table, the list or the folder does not exist, or the folder has no image.

    Example:
        >>> import tempfile, cv2, numpy as np
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = cv2.imwrite(f'{root}/a.png', np.zeros((8, 8, 3), np.uint8))
        ...     _ = cv2.imwrite(f'{root}/b.png', np.zeros((8, 8, 3), np.uint8))
        ...     with open(f'{root}/counts.csv', 'w') as stream:
        ...         _ = stream.write('image,class,count\na.png,cat,2\na.png,dog,1\n')
        ...     dataset = CountsCSVDataset(data_root=root, metainfo=dict(classes=('cat', 'dog')))
        >>> dataset.class_counts().tolist()
        [[2, 1], [0, 0]]
    """

    #: Reads the table at a path, with the classes if they are known.
    read = staticmethod(read_counts_csv)

    def __init__(self, ann_file: str = 'counts.csv', images: str | None = None, **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, images=images, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the table and join it with the images."""
        table = self.read(self.ann_file, self._metainfo.get('classes'))
        labels = self._labels(table, table.columns)
        data_list = []
        for image, index in self._join(table):
            counts = np.zeros(self.num_classes, dtype=np.float32)
            counts[labels[index]] = table.counts[index]
            data_list.append({**image, 'image_counts': counts})
        return data_list
