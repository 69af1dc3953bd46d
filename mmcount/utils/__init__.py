"""Registration, versions and a report of the environment.

The report is not imported here: it would then run twice under ``python -m mmcount.utils.collect_env``.
"""

from .setup_env import register_all_modules

__all__ = ['register_all_modules']
