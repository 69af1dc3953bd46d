"""Models that come along: their names, what they are good for, and their files.

Importing this package imports nothing of the stack; :func:`load` and :func:`read_model` import torch.
"""

from .card import Figure, ModelCard
from .catalogue import UnknownModelError, is_model_name, load, model_card, model_names, model_path
from .model_file import PRECISIONS, LoadedModel, ModelFileError, read_card, read_model, write_model

__all__ = [
    'PRECISIONS',
    'Figure',
    'LoadedModel',
    'ModelCard',
    'ModelFileError',
    'UnknownModelError',
    'is_model_name',
    'load',
    'model_card',
    'model_names',
    'model_path',
    'read_card',
    'read_model',
    'write_model',
]
