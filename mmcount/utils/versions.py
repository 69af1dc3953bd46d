"""Which versions of the OpenMMLab stack are installed, and whether they are among the tested ones.

Two families of distributions install the same modules (``mmdet`` comes from ``mmdet`` or ``onedl-mmdetection``), so
mmcount requires neither by name. It looks here instead, and warns: a range that stops people from trying a newer
release costs more than it saves.
"""

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

from packaging.version import InvalidVersion, Version

__all__ = [
    'TESTED',
    'TestedRange',
    'family_warning',
    'installed_versions',
    'range_warnings',
    'require_mmengine',
    'warn_about_versions',
]


@dataclass(frozen=True)
class TestedRange:
    """The releases of one module that mmcount is tested with: ``minimum <= version < below``."""

    __test__ = False  # not a test class, whatever its name says to pytest

    module: str
    upstream: str
    fork: str
    minimum: str
    below: str

    def contains(self, version: str) -> bool:
        """Whether a version lies in the range; pre-releases count as the versions that they precede.

        Example:
            >>> TestedRange('mmdet', 'mmdet', 'onedl-mmdetection', '3.3.0', '4.0').contains('3.5.1')
            True
        """
        try:
            return Version(self.minimum) <= Version(version) < Version(self.below)
        except InvalidVersion:
            return False


TESTED = (
    TestedRange('mmengine', 'mmengine', 'onedl-mmengine', '0.10.4', '1.0'),
    TestedRange('mmcv', 'mmcv', 'onedl-mmcv', '2.1.0', '3.0'),
    TestedRange('mmdet', 'mmdet', 'onedl-mmdetection', '3.3.0', '4.0'),
)


def _query(distribution: str) -> str | None:
    """Version of an installed distribution; None where it is absent or its metadata cannot be read."""
    try:
        return metadata.version(distribution)
    except Exception:  # broken metadata raises anything from KeyError to OSError, and must not break an import
        return None


def installed_versions(query: Callable[[str], str | None] = _query) -> dict[str, str]:
    """Installed distributions of the stack, of either family, and their versions.

    Args:
        query: Gives the version of a distribution, or None.
    """
    names = [name for tested in TESTED for name in (tested.upstream, tested.fork)]
    found = {name: query(name) for name in names}
    return {name: version for name, version in found.items() if version}


def range_warnings(installed: Mapping[str, str]) -> list[str]:
    """One message for each installed distribution outside its tested range.

    Args:
        installed: Versions by distribution name.

    Example:
        >>> range_warnings({'mmengine': '0.10.7'})
        []
        >>> range_warnings({'mmengine': '0.7.0'})
        ['mmengine 0.7.0 is outside the tested range >=0.10.4,<1.0.']
    """
    messages = []
    for tested in TESTED:
        for name in (tested.upstream, tested.fork):
            version = installed.get(name)
            if version and not tested.contains(version):
                messages.append(f'{name} {version} is outside the tested range >={tested.minimum},<{tested.below}.')
    return messages


def family_warning(installed: Mapping[str, str]) -> str | None:
    """A message where both families provide the same module: the second install overwrote the first.

    Args:
        installed: Versions by distribution name.
    """
    doubled = [t for t in TESTED if t.upstream in installed and t.fork in installed]
    if not doubled:
        return None
    pairs = ', '.join(f'{t.upstream} and {t.fork}' for t in doubled)
    names = ' '.join(name for t in doubled for name in (t.upstream, t.fork))
    return (
        f'{pairs} are both installed and overwrite each other; removing one breaks the other. '
        f'Run `pip uninstall {names}` and install one family.'
    )


def require_mmengine() -> None:
    """Stop with a way out where MMEngine is missing.

    Raises:
        ImportError: There is no module ``mmengine``.
    """
    if find_spec('mmengine') is None:
        raise ImportError(
            'mmcount needs MMEngine, which is not installed. Run `bash tools/setup_env.sh` in a checkout, or '
            '`pip install "mmcount[onedl]"`; the installation guide says how to add mmcv.'
        )


def warn_about_versions() -> None:
    """Warn about untested versions and mixed families, unless ``MMCOUNT_SKIP_VERSION_CHECK=1``."""
    if os.environ.get('MMCOUNT_SKIP_VERSION_CHECK') == '1':
        return
    installed = installed_versions()
    messages = range_warnings(installed)
    doubled = family_warning(installed)
    for message in [*messages, doubled] if doubled else messages:
        warnings.warn(f'{message} Set MMCOUNT_SKIP_VERSION_CHECK=1 to hide this.', stacklevel=3)
