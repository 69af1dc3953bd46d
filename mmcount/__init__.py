"""mmcount: count objects in images, and say where they are, with OpenMMLab.

Importing this package imports little of the stack: models, datasets and operators are imported by the registries when
a config first asks for them.
"""

from typing import TYPE_CHECKING, Any

from .utils.versions import require_mmengine, warn_about_versions
from .version import __version__

if TYPE_CHECKING:
    from .apis import CountInferencer

require_mmengine()
warn_about_versions()

# MMEngine resolves `mmcount::some/config.py`, its hub and its inferencers through this table. Imported late:
# `require_mmengine` reports a missing MMEngine.
from mmengine.config.utils import MODULE2PACKAGE  # noqa: E402

MODULE2PACKAGE.setdefault('mmcount', 'mmcount')

__all__ = ['CountInferencer', '__version__']


def __getattr__(name: str) -> Any:
    """Import ``CountInferencer`` on first use: it needs the whole stack."""
    if name == 'CountInferencer':
        from .utils.quiet import quiet_imports

        with quiet_imports():
            from .apis import CountInferencer

        return CountInferencer
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    """Names for completion, with the lazy ones."""
    return sorted(set(globals()) | set(__all__))
