import csv
import io
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmcount.datasets import AnnotationError
from mmcount.datasets.formats import read_points_csv


def test_quotes_around_several_lines_keep_the_line_numbers(write):
    with pytest.raises(AnnotationError, match='line 4'):
        read_points_csv(write('image,x,y,note\na.png,1,2,"two\nlines"\na.png,z,2,\n'))


def test_names_are_read_with_forward_slashes(write):
    assert read_points_csv(write('image,x,y\nsub\\a.png,1,2\n')).images == ['sub/a.png']


pieces = st.lists(
    st.sampled_from(
        [
            'image',
            'x',
            'y',
            'class',
            ',',
            ';',
            '\t',
            '\n',
            '\r',
            '"',
            'a.png',
            '1',
            '-2.5',
            'nan',
            '\ufeff',
            'é',
            '\0',
            ' ',
            '\x1c',
            '1e999',
        ]
    ),
    max_size=60,
).map(''.join)
valid_start = pieces.map('image,x,y\n'.__add__)


@settings(deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), pieces.map(str.encode), valid_start.map(str.encode)))
def test_any_bytes_give_a_table_or_an_annotation_error(write, data):
    error, path = None, write(data)
    try:
        table = read_points_csv(path)
    except AnnotationError as caught:
        error = caught
    if error is not None:
        assert error.file == path
        assert re.match(r'(, line \d+)?: ', str(error).removeprefix(path))
        return
    assert table.points.shape == (len(table.images), 2)
    assert np.isfinite(table.points).all()
    assert len(table.lines) == len(table.images)


@settings(deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(['a.png', 'b c.png', 'é;,".png']), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))),
    st.sampled_from([',', ';', '\t']),
)
def test_a_written_table_is_read_back(write, rows, separator):
    stream = io.StringIO(newline='')
    writer = csv.writer(stream, delimiter=separator)
    writer.writerow(['image', 'x', 'y'])
    writer.writerows([name, repr(x), repr(y)] for name, x, y in rows)
    table = read_points_csv(write(stream.getvalue()))
    assert table.images == [name for name, _, _ in rows]
    assert table.points.tolist() == [[x, y] for _, x, y in rows]


def test_boxes_are_read_if_all_four_columns_are_there(write):
    assert read_points_csv(write('image,x,y,x1,y1,x2\na.png,1,2,3,4,5\n')).boxes is None
    table = read_points_csv(write('image;x;y;xmin;ymin;xmax;ymax\na.png;1;2;0;1;3;4\n'))
    assert table.boxes.tolist() == [[0, 1, 3, 4]]
    with pytest.raises(AnnotationError, match=r'line 3: the box \[3.0, 1.0, 2.0, 4.0\] ends before it begins'):
        read_points_csv(write('image,x,y,x1,y1,x2,y2\na.png,1,2,0,1,3,4\na.png,1,2,3,1,2,4\n'))
