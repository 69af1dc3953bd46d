"""The check of a config's variables for runs that do not start from our tools."""

import os

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcount.engine.config import check_redefinitions
from mmcount.registry import HOOKS


@HOOKS.register_module()
class ConfigCheckHook(Hook):
    """Refuse to run a config that sets a variable anew while a base keeps using the old value.

    ``tools/train.py`` checks a config as it reads it; this hook does it for ``Runner.from_cfg(Config.fromfile(...))``.
    See :func:`mmcount.engine.config.check_redefinitions`.
    """

    def before_run(self, runner: Runner) -> None:
        """Check the file of the config, if it still is where it was."""
        path = runner.cfg.filename
        if path is not None and os.path.isfile(path):
            check_redefinitions(path)
