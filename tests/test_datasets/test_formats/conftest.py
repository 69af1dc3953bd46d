import pytest


@pytest.fixture
def write(tmp_path):
    """Write a table; its path."""

    def write_table(content):
        path = tmp_path / 'table.csv'
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write_table
