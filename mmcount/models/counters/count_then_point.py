"""C2P: count first, then point."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmcount.models.pointing import (
    GaussianMixture,
    Pointers,
    ellipse_pointers,
    fit_gaussian_mixture,
    heat_for,
    stack_blocks,
    weighted_cells,
)
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample, CountPrediction

from .fitted_counter import FittedCounter, Record, cell_size, image_total, pointed_prediction, stack_features

MIXTURE_FITS = ('weighted', 'repeated', 'sampled')


@MODELS.register_module()
class CountThenPoint(FittedCounter):
    """C2P: a support vector machine counts, and as many Gaussians point (Point-and-Count, section "C2P").

    The machine sees features of several layers, the Gaussians are a mixture over the cells of a heat map.
    The last class of the machine is open: "4 or more" is counted as 4, gets 4 pointers and is ``saturated``.

    Args:
        classifier: As in :class:`FittedCounter`.
        blocks: The features: for each block its ``layer`` and how it is pooled, as
            :func:`mmcount.models.pointing.feature_block`. The paper takes the last pooling and the two fully connected
            layers of VGG19.
        heat_layer: The layer whose mean over the channels is the heat map; the last convolution in the paper.
        svm: Arguments of :class:`mmcount.models.pointing.CountSVM`.
        mixture: How Gaussians are fitted to cells with heat: 'weighted', with the heat as weights; 'repeated', with
            cells repeated up to 20 times; 'sampled', with 2000 points drawn from the heat.
        mixture_options: Further arguments of :func:`fit_cells`.
        mean_times: Multiples of the mean that are taken off the heat map: the first one that leaves a cell for every
            object.
        num_classes: As in :class:`FittedCounter`.
        data_preprocessor: Config.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        classifier: dict,
        blocks: Sequence[dict[str, Any]],
        heat_layer: str,
        svm: dict | None = None,
        mixture: str = 'weighted',
        mixture_options: dict | None = None,
        mean_times: Sequence[float] = (2.0, 1.0, 0.0),
        num_classes: int = 1,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        layers = [block['layer'] for block in blocks]
        super().__init__(classifier, [*layers, heat_layer], num_classes, data_preprocessor, init_cfg)
        if mixture not in MIXTURE_FITS:
            raise ValueError(f'mixture must be one of {MIXTURE_FITS}, got {mixture!r}')
        if not mean_times:
            raise ValueError('mean_times must be one or more multiples of the mean, got none')
        self.mean_times = tuple(mean_times)
        self.blocks = [dict(block) for block in blocks]
        self.heat_layer = heat_layer
        self.svm = MODELS.build(dict(type='mmcount.CountSVM', **(svm or {})))
        self.mixture = mixture
        self.mixture_options = mixture_options or {}

    @property
    def is_fitted(self) -> bool:
        """Whether its support vector machine is."""
        return bool(self.svm.is_fitted)

    def observe(self, inputs: Tensor, data_samples: list[CountDataSample], stage: str) -> list[Record]:
        """The features and the count of each image."""
        _, outputs = self.look(inputs, data_samples)
        return [
            dict(
                features=stack_blocks({name: output[index] for name, output in outputs.items()}, self.blocks),
                count=image_total(sample),
            )
            for index, sample in enumerate(data_samples)
        ]

    def fit(self, records: list[Record], stage: str) -> dict[str, float]:
        """Fit the support vector machine."""
        figures: dict[str, float] = self.svm.fit(stack_features(records), [record['count'] for record in records])
        return figures

    def point(self, scores: Tensor, outputs: dict[str, Tensor], sample: CountDataSample) -> CountPrediction:
        """Count with the machine, point with the mixture."""
        features = torch.from_numpy(stack_blocks(outputs, self.blocks)).to(self.svm.weight.device)
        count_scores = self.svm(features[None])[0].cpu().numpy()
        count = int(count_scores.argmax())
        heat = heat_for(outputs[self.heat_layer].mean(dim=0).cpu().numpy(), count, self.mean_times)
        pointers = self._pointers(heat, count, sample)
        return pointed_prediction(
            count,
            pointers,
            heat,
            self.label_of(scores),
            self.num_classes,
            sample,
            saturated=count == self.svm.max_count,
            count_scores=count_scores,
        )

    def _pointers(self, heat: np.ndarray, count: int, sample: CountDataSample) -> Pointers:
        cells, weights = weighted_cells(heat)
        count = min(count, len(cells))
        if count == 0:
            return Pointers(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 4)))
        mixture = fit_cells(cells, weights, count, self.mixture, **self.mixture_options)
        return ellipse_pointers(mixture, cell_size(sample, heat))


def fit_cells(
    cells: np.ndarray,
    weights: np.ndarray,
    num_components: int,
    how: str = 'weighted',
    max_repeats: int = 20,
    num_draws: int = 2000,
    seed: int = 0,
    **options: Any,
) -> GaussianMixture:
    """A mixture of Gaussians over cells with heat.

    Args:
        cells: (n, 2) centres of the cells.
        weights: (n,) their heat.
        num_components: K.
        how: 'weighted', 'repeated' or 'sampled', as in :class:`CountThenPoint`.
        max_repeats: How often 'repeated' takes the hottest cell; every cell is taken once or more.
        num_draws: Points that 'sampled' draws, each anywhere in its cell.
        seed: Of these draws.
        **options: Further arguments of :func:`mmcount.models.pointing.fit_gaussian_mixture`.
    """
    if how == 'weighted':
        return fit_gaussian_mixture(cells, weights, num_components, **options)
    if how == 'repeated':
        times = np.maximum(np.rint(weights / weights.max() * max_repeats), 1).astype(np.int64)
        repeated = np.repeat(cells, times, axis=0)
        return fit_gaussian_mixture(repeated, np.ones(len(repeated)), num_components, **options)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(cells), num_draws, p=weights / weights.sum())
    drawn = cells[chosen] + rng.uniform(-0.5, 0.5, (num_draws, 2))
    # The spread of a cell is in the draw already.
    return fit_gaussian_mixture(drawn, np.ones(num_draws), num_components, **{'min_variance': 1e-6, **options})
