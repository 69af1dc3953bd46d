"""From images to batches."""

from .count_data_preprocessor import CountDataPreprocessor

__all__ = ['CountDataPreprocessor']
