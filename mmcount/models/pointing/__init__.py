"""Pointing at objects in a heat map: mixtures and clusters of its cells, without training."""

from .clusterers import (
    CellClusterer,
    ConnectedCellClusterer,
    DBSCANClusterer,
    DensityPeakClusterer,
    LocalMaximumClusterer,
    MeanShiftClusterer,
)
from .count_classifier import CountSVM
from .density_peak_clusters import DensityPeakResult, density_peak_clusters
from .feature_blocks import feature_block, stack_blocks
from .gaussian_mixture import GaussianMixture, fit_gaussian_mixture
from .heat_maps import heat_for, suppress_mean, weighted_cells
from .pointers import Pointers, box_pointers, ellipse_pointers

__all__ = [
    'CellClusterer',
    'ConnectedCellClusterer',
    'CountSVM',
    'DBSCANClusterer',
    'DensityPeakClusterer',
    'DensityPeakResult',
    'GaussianMixture',
    'LocalMaximumClusterer',
    'MeanShiftClusterer',
    'Pointers',
    'box_pointers',
    'density_peak_clusters',
    'ellipse_pointers',
    'feature_block',
    'fit_gaussian_mixture',
    'heat_for',
    'stack_blocks',
    'suppress_mean',
    'weighted_cells',
]
