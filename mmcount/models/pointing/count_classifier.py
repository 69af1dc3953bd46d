"""A linear classifier of the number of objects; fitted with scikit-learn, used without it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModule
from numpy.typing import NDArray
from torch import Tensor

from mmcount.registry import MODELS

FloatArray = NDArray[np.float32]


@MODELS.register_module()
class CountSVM(BaseModule):
    """Linear support vector machines, one against the rest, for the counts 0, 1, ... and "``max_count`` or more" (C2P).

    What is fitted lies in buffers: weights of the features as they come, projections and standardisation folded in.

    Args:
        max_count: The open last class.
        regularisation: Candidates of scikit-learn's C; with more than one, the best of a cross-validation is taken.
            Where a count has one image only there is none, and the candidate nearest to 1 is taken.
        folds: Of the cross-validation.
        standardize: Bring every feature to mean 0 and variance 1 over the training images first.
        projection: Principal components that the machine works on, for memory and time; None for all features.
        class_weight: As in scikit-learn: None or 'balanced'.
        max_iters: Of scikit-learn's solver.
        seed: Of its random choices.

    Example:
        >>> machine = CountSVM(max_count=1, regularisation=(1.0,))
        >>> _ = machine.fit(np.array([[0.0, 1], [0.1, 1], [1, 0], [0.9, 0]], np.float32), [0, 0, 1, 3])
        >>> machine(torch.tensor([[0.0, 1.0], [1.0, 0.0]])).argmax(dim=1).tolist()
        [0, 1]
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        max_count: int = 4,
        regularisation: Sequence[float] = (0.01, 0.1, 1.0, 10.0),
        folds: int = 5,
        standardize: bool = False,
        projection: int | None = None,
        class_weight: str | None = None,
        max_iters: int = 5000,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if max_count < 1:
            raise ValueError(f'max_count must be at least 1, got {max_count}')
        if not regularisation or min(regularisation) <= 0:
            raise ValueError(f'regularisation must be one or more positive numbers, got {regularisation}')
        self.max_count = max_count
        self.regularisation = tuple(regularisation)
        self.folds = folds
        self.standardize = standardize
        self.projection = projection
        self.class_weight = class_weight
        self.max_iters = max_iters
        self.seed = seed
        self.register_buffer('weight', torch.zeros(max_count + 1, 0))
        self.register_buffer('bias', torch.zeros(max_count + 1))

    @property
    def is_fitted(self) -> bool:
        """Whether it has been fitted or loaded."""
        return self.weight.shape[1] > 0

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) features to (N, max_count + 1) decision values; the largest says the count."""
        return features.float() @ self.weight.T + self.bias

    def fit(self, features: FloatArray, counts: Sequence[int]) -> dict[str, float]:
        """Learn from images.

        Args:
            features: (N, D).
            counts: (N,) objects; above ``max_count`` they count as ``max_count``.

        Returns:
            ``svm_C``, ``svm_train_accuracy`` and, after a cross-validation, ``svm_cv_accuracy``.

        Raises:
            ImportError: scikit-learn is missing.
            ValueError: There are no features, or the images show fewer than two classes.
        """
        labels = np.minimum(np.asarray(counts, dtype=np.int64), self.max_count)
        known = np.unique(labels)
        if features.ndim != 2 or len(features) != len(labels) or features.shape[1] == 0:
            raise ValueError(f'expected (N, D) features and N counts, got {features.shape} and {len(labels)}')
        if len(known) < 2:
            raise ValueError(f'a classifier of counts needs images of two counts or more, all have {known.tolist()}')
        mean, scale, inputs = np.zeros(features.shape[1]), np.ones(features.shape[1]), features
        if self.projection is not None:
            inputs = features.astype(np.float64)
        if self.standardize:
            mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
            inputs = (inputs - mean) / scale
        components = self._components(inputs)
        machine, figures = self._search(inputs if components is None else inputs @ components.T, labels)
        # Two classes share one hyperplane in scikit-learn.
        weight, bias = machine.coef_, machine.intercept_
        if len(known) == 2:
            weight, bias = np.concatenate([-weight, weight]), np.concatenate([-bias, bias])
        weight = (weight if components is None else weight @ components) / scale
        self._keep(known, weight, bias - weight @ mean)
        return figures

    def _components(self, inputs: np.ndarray) -> np.ndarray | None:
        """(P, D) principal directions, or None."""
        if self.projection is None or self.projection >= min(inputs.shape):
            return None
        from sklearn.decomposition import PCA

        # Features are projected with their mean, which the bias of the machine takes up.
        found = PCA(self.projection, svd_solver='randomized', random_state=self.seed).fit(inputs)
        components: np.ndarray = found.components_
        return components

    def _search(self, inputs: np.ndarray, labels: np.ndarray) -> tuple[Any, dict[str, float]]:
        from sklearn.model_selection import GridSearchCV, StratifiedKFold
        from sklearn.svm import LinearSVC

        machine = LinearSVC(
            dual='auto', class_weight=self.class_weight, max_iter=self.max_iters, random_state=self.seed
        )
        figures: dict[str, float] = {}
        # Each fold must hold every class.
        folds = min(self.folds, int(np.bincount(labels)[np.unique(labels)].min()))
        if len(self.regularisation) > 1 and folds >= 2:
            splits = StratifiedKFold(folds, shuffle=True, random_state=self.seed)
            search = GridSearchCV(machine, {'C': list(self.regularisation)}, cv=splits).fit(inputs, labels)
            machine = search.best_estimator_
            figures['svm_cv_accuracy'] = float(search.best_score_)
        else:
            nearest = min(self.regularisation, key=lambda value: abs(np.log(value)))
            machine.set_params(C=nearest).fit(inputs, labels)
        accuracy = float(machine.score(inputs, labels))
        return machine, {'svm_C': float(machine.C), 'svm_train_accuracy': accuracy, **figures}

    def _keep(self, known: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> None:
        """Store what was fitted; counts that no image shows can never win."""
        full = np.zeros((self.max_count + 1, weight.shape[1]))
        lowest = np.full(self.max_count + 1, np.finfo(np.float32).min / 2)
        full[known], lowest[known] = weight, bias
        device = self.weight.device
        self.weight = torch.from_numpy(full).float().to(device)
        self.bias = torch.from_numpy(lowest).float().to(device)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any) -> None:
        """The number of features is the checkpoint's."""
        loaded = state_dict.get(prefix + 'weight')
        if loaded is not None and loaded.shape[:1] == self.weight.shape[:1]:
            self.weight = self.weight.new_empty(loaded.shape)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
