import pytest

from mmcount.utils.cells import plain_text, safe_cell


@pytest.mark.parametrize('text', ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', "'=1", "''-a"])
def test_what_a_spreadsheet_would_run_is_quoted_and_found_again(text):
    assert safe_cell(text) == f"'{text}"
    assert plain_text(safe_cell(text)) == text


@pytest.mark.parametrize('text', ['', 'a=1', 'cell', '3', "'", "'quoted'", ' a'])
def test_other_text_stays(text):
    assert safe_cell(text) == plain_text(text) == text
