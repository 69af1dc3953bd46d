import pytest

from mmcount.utils.atomic import open_atomic, write_atomic


def write_half(path):
    with open_atomic(path) as stream:
        stream.write('half')
        raise RuntimeError('halfway')


def test_a_file_is_there_whole_or_as_it_was(tmp_path):
    path = tmp_path / 'new' / 'a.txt'
    with pytest.raises(RuntimeError, match='halfway'):
        write_half(path)
    assert list(path.parent.iterdir()) == []
    write_atomic(path, 'whole')
    with pytest.raises(RuntimeError, match='halfway'):
        write_half(path)
    assert path.read_text() == 'whole'
    assert list(path.parent.iterdir()) == [path]


def test_text_and_bytes_are_written_as_they_are(tmp_path):
    with open_atomic(tmp_path / 'a.txt') as stream:
        stream.write('ä\r\n')
        stream.write('b\n')
        assert not (tmp_path / 'a.txt').exists()
    assert (tmp_path / 'a.txt').read_bytes() == 'ä\r\nb\n'.encode()
    for content in ('ä\r\n', 'ä\r\n'.encode()):
        write_atomic(tmp_path / 'b.txt', content)
        assert (tmp_path / 'b.txt').read_bytes() == 'ä\r\n'.encode()
    assert (tmp_path / 'b.txt').stat().st_mode & 0o777 == 0o644
