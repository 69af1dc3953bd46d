import os

import pytest

from mmcount.datasets.formats.images import image_size, list_images
from mmcount.utils.errors import AnnotationError


def test_a_pipe_in_a_folder_is_named_and_never_read(tmp_path):
    (tmp_path / 'a.png').touch()
    os.mkfifo(tmp_path / 'b.png')
    with pytest.warns(UserWarning, match=r'left out as pipes, sockets or devices: b\.png'):
        assert list_images(str(tmp_path)) == ['a.png']
    with pytest.raises(AnnotationError, match=r'b\.png: is a pipe, a socket or a device'):
        image_size(str(tmp_path / 'b.png'))


def test_a_broken_link_stays_in_the_list_so_that_its_reader_tells(tmp_path):
    (tmp_path / 'a.png').symlink_to(tmp_path / 'gone.png')
    assert list_images(str(tmp_path)) == ['a.png']
