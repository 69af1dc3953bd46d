from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmcount.datasets import AnnotationError
from mmcount.datasets.formats import read_counts_csv

pieces = st.lists(
    st.sampled_from(['image', 'count', 'class', ',', ';', '\t', '\n', '"', 'a.png', '1', '-2', '2.5', 'nan', '\0', 'é'])
).map(''.join)


@settings(deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(pieces, pieces.map('image,count\n'.__add__), pieces.map('image,a,b\n'.__add__)))
def test_any_text_gives_a_table_or_an_annotation_error(write, text):
    error, path = None, write(text)
    try:
        table = read_counts_csv(path)
    except AnnotationError as caught:
        error = caught
    if error is not None:
        assert error.file == path
        return
    assert len(table.images) == len(table.counts) == len(table.lines)
    assert (table.counts >= 0).all()
    pairs = list(zip(table.images, table.classes or [''] * len(table.images), strict=True))
    assert len(set(pairs)) == len(pairs)
