"""Classifiers of images."""

from .image_classifier import ImageClassifier, image_labels

__all__ = ['ImageClassifier', 'image_labels']
