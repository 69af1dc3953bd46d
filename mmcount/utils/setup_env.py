"""Registration of everything in mmcount, for code that builds from registries without a runner."""

import datetime
import warnings
from importlib import import_module

__all__ = ['register_all_modules']

REGISTERING_PACKAGES = ('codecs', 'datasets', 'engine', 'evaluation', 'models', 'visualization', 'apis')


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import every subpackage that registers modules.

    Registries find their modules by themselves, so this is needed only by code that lists a registry, and by
    MMEngine's hub, which calls it.

    Args:
        init_default_scope: Also make ``mmcount`` the default scope of this process.
    """
    for package in REGISTERING_PACKAGES:
        import_module(f'mmcount.{package}')
    if not init_default_scope:
        return

    from mmengine.registry import DefaultScope

    current = DefaultScope.get_current_instance()
    if current is None or not DefaultScope.check_instance_created('mmcount'):
        DefaultScope.get_instance('mmcount', scope_name='mmcount')
        return
    if current.scope_name != 'mmcount':
        warnings.warn(
            f'The default scope {current.scope_name!r} becomes "mmcount". '
            'Pass init_default_scope=False to keep the present one.',
            stacklevel=2,
        )
        name = f'mmcount-{datetime.datetime.now()}'
        DefaultScope.get_instance(name, scope_name='mmcount')
