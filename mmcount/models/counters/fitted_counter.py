"""Base class of counters that are fitted to data instead of descending a loss."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmcount.models.heads.count_head import input_shape
from mmcount.models.layers import layer_taps
from mmcount.models.pointing import Pointers
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample, CountPrediction

from .size_groups import size_groups

Record = dict[str, Any]


class FittedCounter(BaseModel):
    """Base class of counters that are computed from all training images at once.

    ``FitLoop`` trains them: in each of the ``passes`` it calls ``observe`` with every batch and ``fit`` with all that
    was observed. What is learned lies in buffers, so checkpoints are ordinary ones.

    Args:
        classifier: Config of a trained :class:`mmcount.models.ImageClassifier`, or of any model whose
            ``mode='tensor'`` gives class scores; its ``init_cfg`` says where its weights are. It is never trained here.
        layers: Names of its layers whose outputs are used.
        num_classes: C of the data set. The count belongs to the predicted class where the classifier tells as many
            classes apart, and to class 0 where C is 1.
        data_preprocessor: Config.
        init_cfg: Initialisation.

    Attributes:
        passes: What happens in each pass over the data.
    """

    passes: ClassVar[tuple[str, ...]] = ('fit',)

    def __init__(
        self,
        classifier: dict,
        layers: Sequence[str],
        num_classes: int = 1,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        if num_classes < 1:
            raise ValueError(f'num_classes must be at least 1, got {num_classes}')
        self.classifier = MODELS.build(classifier)
        self.layers = tuple(dict.fromkeys(layers))
        self.num_classes = num_classes
        with layer_taps(self.classifier, self.layers):
            pass  # a wrong name is an error of the config, not of the first image
        # Modules are built for training: normalisation would mix the images of a batch.
        self.eval()

    @property
    @abstractmethod
    def is_fitted(self) -> bool:
        """Whether it can predict."""

    @abstractmethod
    def observe(self, inputs: Tensor, data_samples: list[CountDataSample], stage: str) -> list[Record]:
        """Records of the images of a batch for ``fit``, as NumPy arrays and numbers.

        Args:
            inputs: (B, C, H, W) normalised images.
            data_samples: With ``gt_counts``.
            stage: One of ``passes``.
        """

    @abstractmethod
    def fit(self, records: list[Record], stage: str) -> dict[str, float]:
        """Learn from the records of all images.

        Args:
            records: One of each image, with its ``img_id``, in the order of these.
            stage: One of ``passes``.

        Returns:
            Figures for the log.
        """

    @abstractmethod
    def point(self, scores: Tensor, outputs: dict[str, Tensor], sample: CountDataSample) -> CountPrediction:
        """The count and the pointers of one image, see :func:`pointed_prediction`.

        Args:
            scores: (K,) class scores.
            outputs: (C, h, w) or (D,) output of each of ``layers``.
            sample: Its ``img_shape`` is that of the network's input.
        """

    def train(self, mode: bool = True) -> 'FittedCounter':
        """Nothing here trains by gradients: normalisation and dropout always behave as in testing."""
        return super().train(False)

    @torch.no_grad()
    def look(
        self, inputs: Tensor, data_samples: list[CountDataSample] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(B, K) class scores and the (B, ...) outputs of the layers, float32.

        Args:
            inputs: (B, C, H, W) normalised images.
            data_samples: Names of the images for the error; without them nothing is checked.

        Raises:
            ValueError: A score or an output is not finite; the message names the image and the layer.
        """
        with layer_taps(self.classifier, self.layers) as outputs:
            scores = self.classifier(inputs, mode='tensor')
        found = {name: outputs[name].float() for name in self.layers}
        if data_samples is not None:
            check_finite({**found, 'class scores': scores}, data_samples)
        return scores.float(), found

    def forward(
        self, inputs: Tensor, data_samples: list[CountDataSample] | None = None, mode: str = 'tensor'
    ) -> list[CountDataSample] | Tensor:
        """Class scores (``'tensor'``) or samples with their predictions (``'predict'``).

        Raises:
            ValueError: It is not fitted yet, or ``mode`` is none of these: there is no loss.
        """
        if mode == 'tensor':
            return self.look(inputs)[0]
        if mode != 'predict':
            raise ValueError(
                f"{type(self).__name__} is fitted and has no mode {mode!r}: use train_cfg=dict(type='mmcount.FitLoop')"
            )
        if data_samples is None:
            raise ValueError(f'mode {mode!r} needs data_samples, got None')
        if not self.is_fitted:
            raise ValueError(f'{type(self).__name__} is not fitted: train it or load a checkpoint of it')
        for indices, own in size_groups(inputs, data_samples):
            samples = [data_samples[index] for index in indices]
            scores, outputs = self.look(own, samples)
            for index, sample in enumerate(samples):
                self.point(scores[index], {name: one[index] for name, one in outputs.items()}, sample).write(sample)
        return data_samples

    def observe_batch(self, inputs: Tensor, data_samples: list[CountDataSample], stage: str) -> list[Record]:
        """:meth:`observe`, images of one size together; records in the order of the samples."""
        records: dict[int, Record] = {}
        for indices, own in size_groups(inputs, data_samples):
            found = self.observe(own, [data_samples[index] for index in indices], stage)
            records.update(zip(indices, found, strict=True))
        return [records[index] for index in range(len(data_samples))]

    def label_of(self, scores: Tensor) -> int:
        """The class that the count of an image belongs to."""
        if self.num_classes == 1:
            return 0
        if len(scores) != self.num_classes:
            raise ValueError(
                f'the classifier tells {len(scores)} classes apart and the data set has num_classes='
                f'{self.num_classes}: they must agree, or num_classes be 1'
            )
        return int(scores.argmax())

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any) -> None:
        """Buffers take the shape of the checkpoint: how long they are is known only after fitting."""
        for name, buffer in self._buffers.items():
            loaded = state_dict.get(prefix + name)
            if buffer is not None and loaded is not None and loaded.shape != buffer.shape:
                self._buffers[name] = buffer.new_empty(loaded.shape)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def pointed_prediction(
    count: int,
    pointers: Pointers,
    heat: np.ndarray,
    label: int,
    num_classes: int,
    sample: CountDataSample,
    saturated: bool | None = None,
    count_scores: np.ndarray | None = None,
) -> CountPrediction:
    """The prediction of a counter that counts one class and points.

    Args:
        count: Objects.
        pointers: As many pointers or fewer, in pixels of the network's input.
        heat: (h, w) not negative, over the whole input; the density is the heat, scaled to the count.
        label: Class of all objects.
        num_classes: C.
        sample: Of the image.
        saturated: Whether the count means "or more"; None for a method without a largest count.
        count_scores: (C_max + 1,) score of each count, or None; becomes ``pred_count_scores``.
    """
    counts = torch.zeros(num_classes)
    counts[label] = count
    places = torch.from_numpy(np.asarray(heat, dtype=np.float32))
    if count and float(places.sum()) <= 0:
        places = torch.ones_like(places)  # counted, but found nowhere: they may be anywhere
    density = torch.zeros(num_classes, *places.shape)
    if count:
        density[label] = places / places.sum() * count
    height, width = input_shape(sample)
    bboxes = torch.from_numpy(pointers.bboxes).float()
    scores = None if count_scores is None else torch.from_numpy(np.asarray(count_scores, dtype=np.float32))
    return CountPrediction(
        counts=counts,
        points=(bboxes[:, :2] + bboxes[:, 2:] - 1) / 2,
        labels=torch.full((len(bboxes),), label, dtype=torch.int64),
        scores=torch.from_numpy(pointers.scores).float(),
        density=density,
        extent=(-0.5, -0.5, width - 0.5, height - 0.5),
        bboxes=bboxes,
        ellipses=None if pointers.ellipses is None else torch.from_numpy(pointers.ellipses).float(),
        saturated=saturated,
        extras={} if scores is None else dict(pred_count_scores=scores),
    )


def check_finite(outputs: dict[str, Tensor], data_samples: list[CountDataSample]) -> None:
    """Refuse (B, ...) outputs that are not finite.

    Raises:
        ValueError: One is not; the message names the image and the output.
    """
    for name, output in outputs.items():
        broken = ~output.flatten(1).isfinite().all(dim=1)
        if broken.any():
            sample = data_samples[int(broken.nonzero()[0])]
            raise ValueError(
                f'image {sample.get("img_id", "?")}: the output of {name} is not finite: the image or the weights hold '
                'NaN or infinity'
            )


def image_total(sample: CountDataSample) -> int:
    """True objects of all classes in an image.

    Raises:
        ValueError: It has no ``gt_counts``; the message names the image.
    """
    counts = sample.get('gt_counts')
    if counts is None:
        raise ValueError(f'image {sample.get("img_id", "?")} needs gt_counts to be fitted to')
    return round(float(counts.sum()))


def stack_features(records: list[Record]) -> np.ndarray:
    """(N, D) features of all images.

    Raises:
        ValueError: Images have features of different lengths; the message names one of each.
    """
    lengths = {len(record['features']): record.get('img_id', '?') for record in reversed(records)}
    if len(lengths) > 1:
        raise ValueError(
            f'the features of images differ in length, {lengths} (length: an image): bring all images to one size, or '
            "pool every block to its 'mean' or a 'grid'"
        )
    return np.stack([record['features'] for record in records])


def cell_size(sample: CountDataSample, heat: np.ndarray) -> tuple[float, float]:
    """(width, height) in pixels of the network's input of a cell of a map over the whole input."""
    height, width = input_shape(sample)
    return width / heat.shape[1], height / heat.shape[0]
