from pathlib import Path

import pytest

from mmcount.utils.config_files import config_path, configs_folder


def test_a_name_and_a_file_give_the_file():
    path = config_path('count-ception_quickstart_mnist-lego.py')
    assert Path(path).parent.name == 'countception'
    assert config_path(path) == path
    assert (configs_folder() / '_base_').is_dir()


def test_a_name_that_is_none_is_corrected():
    with pytest.raises(FileNotFoundError, match=r'did you mean .*count-ception_quickstart_mnist-lego'):
        config_path('count-ception_quickstart_mnist-leg')
    with pytest.raises(FileNotFoundError, match='no file and no name'):
        config_path('elsewhere/count-ception_quickstart_mnist-lego.py')
