"""MNIST-LEGO: counting scenes composed of handwritten digits, generated when they are read."""

from .classes import LegoClass, class_table, generate_class_table
from .dataset import MNISTLego
from .options import SceneOptions
from .parts import DigitParts, load_parts
from .scene import Scene, make_scene

__all__ = [
    'DigitParts',
    'LegoClass',
    'MNISTLego',
    'Scene',
    'SceneOptions',
    'class_table',
    'generate_class_table',
    'load_parts',
    'make_scene',
]
