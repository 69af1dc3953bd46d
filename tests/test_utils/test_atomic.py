import pytest

from mmcount.utils.atomic import check_writable, open_atomic, write_atomic
from mmcount.utils.errors import SettingError


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


def test_what_cannot_be_written_is_told_and_nothing_is_made(tmp_path):
    check_writable(tmp_path / 'new' / 'deep' / 'counts.csv')
    check_writable(tmp_path / 'new', folder=True)
    (tmp_path / 'file').touch()
    for path, folder, reason in (
        (tmp_path / 'file' / 'counts.csv', False, 'is no folder'),
        (tmp_path / 'file', True, 'is no folder'),
        (tmp_path, False, 'it is a folder'),
        (tmp_path / ('x' * 300) / 'counts.csv', False, 'File name too long'),
        ('/proc/counts.csv', False, 'cannot write to /proc/counts.csv'),
    ):
        with pytest.raises(SettingError, match=reason):
            check_writable(path, folder)
    assert [path.name for path in tmp_path.iterdir()] == ['file']
