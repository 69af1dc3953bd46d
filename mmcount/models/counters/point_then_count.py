"""P2C: point first, then count."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmcount.models.classifiers import image_labels
from mmcount.models.pointing import CellClusterer, Pointers, box_pointers, suppress_mean
from mmcount.registry import MODELS, TASK_UTILS
from mmcount.structures import CountDataSample, CountPrediction

from .fitted_counter import FittedCounter, Record, cell_size, pointed_prediction

STACKINGS = ('sum', 'mean', 'max')


@MODELS.register_module()
class PointThenCount(FittedCounter):
    """P2C: objects are the clusters of a heat map (Point-and-Count, section "P2C").

    The heat is the sum of the feature maps that answer most to the class of the image.
    Fitting makes a dictionary: for each class, how much each map answers to it on average. Nothing else is learned.

    Args:
        classifier: As in :class:`FittedCounter`.
        maps: Layer to the number of its maps that are taken; the paper takes 20 of the last convolution of VGG16 and 50
            of the one before. Smaller maps are enlarged to the size of the largest.
        clusterer: Config of a :class:`mmcount.models.pointing.CellClusterer`.
        stacking: How maps become one: their 'sum', the sum of the layers' 'mean's, or their 'max'.
        mean_times: Multiple of the mean that is taken off the sum.
        relative: Rank maps by their answer to a class divided by their answer to all classes.
        correct_only: Fit to the images whose class the classifier gets right.
        max_images: Images of a class that are fitted to, the first ones by ``img_id``; None for all.
        min_heat: An image holds no object where the largest values of its maps sum to less than this share of their
            median over the images that it was fitted to.
        box_share: A pointer is the smallest box around the cells of a cluster with at least this share of the heat of
            its hottest cell. 0, all cells, is the paper's.
        num_classes: As in :class:`FittedCounter`.
        data_preprocessor: Config.
        init_cfg: Initialisation.
    """

    dictionary: Tensor
    typical_heat: Tensor

    def __init__(
        self,
        classifier: dict,
        maps: dict[str, int],
        clusterer: dict = dict(type='mmcount.DensityPeakClusterer'),
        stacking: str = 'sum',
        mean_times: float = 2.0,
        relative: bool = False,
        correct_only: bool = True,
        max_images: int | None = None,
        min_heat: float = 0.1,
        box_share: float = 0.0,
        num_classes: int = 1,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(classifier, list(maps), num_classes, data_preprocessor, init_cfg)
        if stacking not in STACKINGS:
            raise ValueError(f'stacking must be one of {STACKINGS}, got {stacking!r}')
        if not maps or min(maps.values()) < 1:
            raise ValueError(f'maps must say one or more maps of each layer, got {maps}')
        self.maps = dict(maps)
        self.clusterer: CellClusterer = TASK_UTILS.build(clusterer)
        self.stacking = stacking
        self.mean_times = mean_times
        self.relative = relative
        self.correct_only = correct_only
        self.max_images = max_images
        self.min_heat = min_heat
        self.box_share = box_share
        self.register_buffer('dictionary', torch.zeros(0, 0))
        self.register_buffer('typical_heat', torch.zeros(0))

    @property
    def is_fitted(self) -> bool:
        """Whether it has a dictionary."""
        return self.dictionary.numel() > 0

    def observe(self, inputs: Tensor, data_samples: list[CountDataSample], stage: str) -> list[Record]:
        """The largest value of every map in each image, and the image's true and predicted class.

        Where the data set has one class only, the predicted class stands for the true one.
        """
        scores, outputs = self.look(inputs, data_samples)
        predicted = scores.argmax(dim=1).cpu()
        largest = torch.cat([outputs[name].amax(dim=(2, 3)) for name in self.maps], dim=1).cpu().numpy()
        present = image_labels(data_samples).cpu()
        true = torch.where((present >= 0) & (self._data_classes(data_samples) == 1), predicted, present)
        return [
            dict(
                largest=largest[index].astype(np.float32),
                label=int(true[index]),
                predicted=int(predicted[index]),
                num_labels=scores.shape[1],
                widths=[outputs[name].shape[1] for name in self.maps],
            )
            for index in range(len(data_samples))
        ]

    @staticmethod
    def _data_classes(data_samples: list[CountDataSample]) -> Tensor:
        return torch.tensor([sample.gt_counts.numel() for sample in data_samples])

    def fit(self, records: list[Record], stage: str) -> dict[str, float]:
        """Make the dictionary.

        Raises:
            ValueError: No image is left to learn from.
        """
        num_labels = records[0]['num_labels']
        labels = np.array([record['label'] for record in records])
        if labels.max(initial=-1) >= num_labels:
            raise ValueError(f'the data set has class {labels.max()}, the classifier tells {num_labels} apart')
        right = labels == np.array([record['predicted'] for record in records])
        used = (labels >= 0) & (right | (not self.correct_only))
        largest = np.stack([record['largest'] for record in records]).astype(np.float64)
        answers = np.zeros((num_labels, largest.shape[1]))
        for label in range(num_labels):
            own = np.flatnonzero(used & (labels == label))[: self.max_images]
            if len(own):
                answers[label] = largest[own].mean(axis=0)
        known = answers.any(axis=1)
        if not known.any():
            raise ValueError(
                f'no image to make a dictionary from: {int((labels >= 0).sum())} of {len(records)} images hold an '
                f'object and {int(right.sum())} are classified right'
            )
        # A class without images answers like all of them together.
        answers[~known] = answers[known].mean(axis=0)
        self.dictionary = torch.from_numpy(answers).float().to(self.dictionary.device)
        chosen = self._chosen(records[0]['widths'])
        heats = [float(records[index]['largest'][chosen[labels[index]]].sum()) for index in np.flatnonzero(used)]
        self.typical_heat = torch.tensor([float(np.median(heats))], device=self.dictionary.device)
        return dict(classes=float(known.sum()), images=float(used.sum()))

    def _chosen(self, widths: Sequence[int]) -> np.ndarray:
        """(K, n) indices into the maps of all layers, those that answer most to each class."""
        answers = self.dictionary.cpu().numpy().astype(np.float64)
        if self.relative:
            answers = answers / np.maximum(answers.mean(axis=0), 1e-12)
        parts, start = [], 0
        for (name, number), width in zip(self.maps.items(), widths, strict=True):
            if number > width:
                raise ValueError(f'layer {name!r} has {width} maps, {number} were asked for')
            ranked = np.argsort(-answers[:, start : start + width], axis=1, kind='stable')[:, :number]
            parts.append(ranked + start)
            start += width
        return np.concatenate(parts, axis=1)

    def stack(self, label: int, outputs: dict[str, Tensor]) -> np.ndarray:
        """(h, w) sum of the maps that answer to a class."""
        chosen = self._chosen([outputs[name].shape[0] for name in self.maps])[label]
        largest = max((outputs[name].shape[-2:] for name in self.maps), key=lambda shape: shape[0] * shape[1])
        layers, start = [], 0
        for name in self.maps:
            own = chosen[(chosen >= start) & (chosen < start + outputs[name].shape[0])] - start
            maps = outputs[name][torch.from_numpy(own).to(outputs[name].device)]
            start += outputs[name].shape[0]
            if maps.shape[-2:] != largest:
                maps = F.interpolate(maps[None], size=tuple(largest), mode='bilinear', align_corners=False)[0]
            layers.append(maps)
        if self.stacking == 'mean':
            stacked = torch.stack([maps.mean(dim=0) for maps in layers]).sum(dim=0)
        else:
            every = torch.cat(layers)
            stacked = every.sum(dim=0) if self.stacking == 'sum' else every.amax(dim=0)
        array: np.ndarray = stacked.cpu().numpy().astype(np.float64)
        return array

    def heat(self, scores: Tensor, outputs: dict[str, Tensor]) -> np.ndarray:
        """(h, w) heat of the predicted class, in 0..1; zero everywhere where nothing stands out."""
        label = int(scores.argmax())
        stacked = self.stack(label, outputs)
        chosen = self._chosen([outputs[name].shape[0] for name in self.maps])[label]
        every = torch.cat([outputs[name].amax(dim=(1, 2)) for name in self.maps]).cpu().numpy()
        if every[chosen].sum() < self.min_heat * float(self.typical_heat):
            return np.zeros_like(stacked)
        return suppress_mean(stacked, self.mean_times)

    def point(self, scores: Tensor, outputs: dict[str, Tensor], sample: CountDataSample) -> CountPrediction:
        """Cluster the heat, count the clusters."""
        heat = self.heat(scores, outputs)
        pointers = self.pointers(heat, sample)
        count = len(pointers.scores)
        return pointed_prediction(
            count, pointers, heat, self.label_of(scores), self.num_classes, sample, saturated=False
        )

    def pointers(self, heat: np.ndarray, sample: CountDataSample, num_clusters: int | None = None) -> Pointers:
        """The box of each cluster, in pixels of the network's input."""
        return box_pointers(self.clusterer(heat, num_clusters), heat, cell_size(sample, heat), self.box_share)
