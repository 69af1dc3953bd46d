"""Counters and their parts."""

import mmdet.models  # noqa: F401  (registers the backbones, necks and losses that configs name)

from .backbones import *  # noqa: F403
from .binarization import *  # noqa: F403
from .classifiers import *  # noqa: F403
from .counters import *  # noqa: F403
from .data_preprocessors import *  # noqa: F403
from .heads import *  # noqa: F403
from .layers import *  # noqa: F403
from .necks import *  # noqa: F403
from .pointing import *  # noqa: F403
from .roi_heads import *  # noqa: F403
from .segmentation import *  # noqa: F403
