"""From images to batches."""

from .count_data_preprocessor import CountDataPreprocessor
from .superpose import Superpose

__all__ = ['CountDataPreprocessor', 'Superpose']
