"""Feature levels of a detector: computed once and lent, and checked against what pools from them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def given_features(detector: nn.Module, batch_inputs: Tensor, feats: Any) -> Iterator[None]:
    """Within the block, ``detector.extract_feat(batch_inputs)`` gives ``feats``; other inputs are computed.

    Nothing of it is left afterwards: features kept in a module could not be copied by a moving average of the model.
    """
    compute = detector.extract_feat

    def extract_feat(inputs: Tensor, *args: Any, **kwargs: Any) -> Any:
        return feats if inputs is batch_inputs else compute(inputs, *args, **kwargs)

    if 'extract_feat' in vars(detector):
        raise RuntimeError('the features of this detector are given already')
    detector.extract_feat = extract_feat
    try:
        yield
    finally:
        del detector.extract_feat


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Evaluation mode within the block; afterwards every part is in the mode in which it was, frozen parts too."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def check_levels(feats: Sequence[Tensor], input_shape: tuple[int, ...], strides: Sequence[int], channels: int) -> None:
    """Check that feature levels are those that an RoI extractor expects.

    Args:
        feats: (B, C_i, h_i, w_i) each.
        input_shape: (height, width) of the input, px.
        strides: What the extractor expects of the first levels.
        channels: What it expects them to have.

    Raises:
        ValueError: There are too few levels, or one has another stride or number of channels; the message says what
            the detector gives.
    """
    # While a model is traced, to count its operations, sizes are tensors.
    input_shape = tuple(int(side) for side in input_shape)
    shapes = [tuple(int(side) for side in feat.shape) for feat in feats]
    given = [tuple(round(full / side) for full, side in zip(input_shape, shape[-2:], strict=True)) for shape in shapes]
    found = (
        f'the detector gives {len(feats)} levels with strides of about {[one[0] for one in given]} and '
        f'{[shape[1] for shape in shapes]} channels for an input of {input_shape}'
    )
    if len(strides) > len(feats):
        raise ValueError(f'roi_extractor.featmap_strides={list(strides)} names {len(strides)} levels, but {found}')
    for level, (stride, shape) in enumerate(zip(strides, shapes, strict=False)):
        fits = all(abs(full / stride - side) < 1 for full, side in zip(input_shape, shape[-2:], strict=True))
        if not fits:
            raise ValueError(f'roi_extractor.featmap_strides={list(strides)} do not fit at level {level}: {found}')
        if shape[1] != channels:
            raise ValueError(f'roi_extractor.out_channels={channels} does not fit level {level}: {found}')
