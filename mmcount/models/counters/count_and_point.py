"""C2P and P2C combined: the count sees the clusters, and the clusters follow the count."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mmcount.models.pointing import density_peak_clusters, stack_blocks, weighted_cells
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample, CountPrediction

from .fitted_counter import FittedCounter, Record, image_total, pointed_prediction, stack_features
from .point_then_count import PointThenCount


@MODELS.register_module()
class CountAndPoint(FittedCounter):
    """The combination that the Point-and-Count paper asks for and does not have.

    Both methods miss what the other knows. C2P sees the whole image and hardly errs at zero and one, P2C sees objects
    one by one. Here the support vector machine of C2P gets one more block of features, what the density peaks of P2C's
    heat map look like, and P2C's clustering is then told how many clusters to make. (Passing on only the count would
    leave the count as good as C2P's.)

    Args:
        pointer: Config of a :class:`PointThenCount` without its classifier; it gets this one's. With an ``init_cfg``
            its dictionary is loaded, otherwise it is fitted in a first pass.
        classifier: As in :class:`FittedCounter`.
        blocks: As in :class:`CountThenPoint`.
        num_peaks: Density peaks that the signature describes.
        signature_weight: Factor of the signature, whose values lie in 0..1, beside the blocks, which have length 1.
        svm: Arguments of :class:`mmcount.models.pointing.CountSVM`.
        num_classes: As in :class:`FittedCounter`.
        data_preprocessor: Config.
        init_cfg: Initialisation.
    """

    passes: ClassVar[tuple[str, ...]] = ('dictionary', 'count')

    def __init__(
        self,
        pointer: dict,
        classifier: dict,
        blocks: Sequence[dict[str, Any]],
        num_peaks: int = 8,
        signature_weight: float = 1.0,
        svm: dict | None = None,
        num_classes: int = 1,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        layers = [*(block['layer'] for block in blocks), *pointer['maps']]
        super().__init__(classifier, layers, num_classes, data_preprocessor, init_cfg)
        self.pointer: PointThenCount = MODELS.build(
            dict(type='mmcount.PointThenCount', num_classes=num_classes, **{**pointer, 'classifier': classifier})
        )
        # One network, not two.
        self.pointer.classifier = self.classifier
        self.blocks = [dict(block) for block in blocks]
        self.num_peaks = num_peaks
        self.signature_weight = signature_weight
        self.svm = MODELS.build(dict(type='mmcount.CountSVM', **(svm or {})))

    @property
    def is_fitted(self) -> bool:
        """Whether both halves are."""
        return self.pointer.is_fitted and bool(self.svm.is_fitted)

    def observe(self, inputs: Tensor, data_samples: list[CountDataSample], stage: str) -> list[Record]:
        """Records for the dictionary, then for the support vector machine."""
        if stage == 'dictionary':
            return self.pointer.observe(inputs, data_samples, 'fit')
        scores, outputs = self.look(inputs, data_samples)
        records = []
        for index, sample in enumerate(data_samples):
            own = {name: output[index] for name, output in outputs.items()}
            heat = self.pointer.heat(scores[index], own)
            records.append(dict(features=self._features(own, heat), count=image_total(sample)))
        return records

    def fit(self, records: list[Record], stage: str) -> dict[str, float]:
        """Make the dictionary, unless it was loaded, then fit the support vector machine."""
        if stage == 'dictionary':
            return {} if self.pointer.is_fitted else self.pointer.fit(records, 'fit')
        figures: dict[str, float] = self.svm.fit(stack_features(records), [record['count'] for record in records])
        return figures

    def point(self, scores: Tensor, outputs: dict[str, Tensor], sample: CountDataSample) -> CountPrediction:
        """Count with the machine, then make as many clusters."""
        heat = self.pointer.heat(scores, outputs)
        features = torch.from_numpy(self._features(outputs, heat)).to(self.svm.weight.device)
        count_scores = self.svm(features[None])[0].cpu().numpy()
        count = int(count_scores.argmax())
        pointers = self.pointer.pointers(heat if count else np.zeros_like(heat), sample, max(count, 1))
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

    def _features(self, outputs: dict[str, Tensor], heat: np.ndarray) -> np.ndarray:
        return np.concatenate([stack_blocks(outputs, self.blocks), self._signature(heat)])

    def _signature(self, heat: np.ndarray) -> np.ndarray:
        signature = peak_signature(heat, self.num_peaks)
        return (self.signature_weight * signature).astype(np.float32)


def peak_signature(heat: np.ndarray, num_peaks: int = 8) -> np.ndarray:
    """Signature of the density peaks of a heat map, whatever their number.

    Args:
        heat: (h, w), not negative.
        num_peaks: Peaks described; missing ones are zero.

    Returns:
        (2 * num_peaks + 2,) values in 0..1: the densities of the peaks with the largest product of density and
        distance, relative to the highest, their distances relative to the map's diagonal, the share of cells with heat,
        and whether there is any.

    Example:
        >>> peak_signature(np.array([[1.0, 0, 0, 1]]), num_peaks=2).round(2).tolist()
        [1.0, 1.0, 0.73, 0.73, 0.5, 1.0]
    """
    cells, weights = weighted_cells(heat)
    signature = np.zeros(2 * num_peaks + 2)
    if len(cells) == 0:
        return signature
    peaks = density_peak_clusters(cells, weights, min_distance=0.0, min_density=0.0)
    product = peaks.density * peaks.distance
    ranked = np.argsort(-product, kind='stable')[:num_peaks]
    signature[: len(ranked)] = peaks.density[ranked] / peaks.density.max()
    diagonal = float(np.hypot(*heat.shape))
    signature[num_peaks : num_peaks + len(ranked)] = peaks.distance[ranked] / diagonal
    signature[-2:] = len(cells) / heat.size, 1.0
    return signature
