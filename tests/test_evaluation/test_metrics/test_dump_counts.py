import csv

import torch

from mmcount.evaluation import DumpCounts
from tests.builders import make_sample, run_metric


def test_the_file_has_a_row_for_every_image_and_class(tmp_path):
    path = tmp_path / 'deep' / 'counts.csv'
    interval = torch.tensor([[0, 2], [0, 1]])
    samples = [
        make_sample('b,1', gt_counts=[0, 3], pred_counts=[0.25, 3]),
        make_sample('a', gt_counts=[1, 0], pred_counts=[1, 0], pred_interval=interval),
    ]
    assert run_metric(DumpCounts(out_file=str(path)), samples, classes=('cat', 'dog')) == {}
    with path.open(newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert [tuple(row.values()) for row in rows] == [
        ('a', 'cat', '1', '1', '0', '2'),
        ('a', 'dog', '0', '0', '0', '1'),
        ('b,1', 'cat', '0', '0.25', '', ''),
        ('b,1', 'dog', '3', '3', '', ''),
    ]
    assert list(path.parent.iterdir()) == [path]
