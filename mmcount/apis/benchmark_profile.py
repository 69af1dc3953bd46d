"""Parameters and multiply-adds of a model, and what its first test batch shows."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from mmengine.analysis import get_model_complexity_info
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import MODELS
from mmengine.runner import Runner, load_checkpoint
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmcount.structures.sample_fields import predicted_counts, to_dict, true_counts

Row = dict[str, Any]


def profile_model(cfg: Config, checkpoint: str, device: str | None = None) -> Row:
    """Parameters, multiply-adds, and what the first test batch shows.

    Returns:
        ``params``; ``flops`` of the first test image, None where they cannot be counted; ``boxes``, whether
        model and data set say boxes; ``counts``, whether both say counts.
    """
    loader = Runner.build_dataloader(cfg.test_dataloader)
    batch = next(iter(loader))
    model: nn.Module = MODELS.build(cfg.model)
    load_checkpoint(model, checkpoint, map_location='cpu')
    model = model.to(device or get_device()).eval()
    with torch.no_grad():
        predicted = [to_dict(one) for one in model.test_step(batch)]
    return {
        'params': sum(parameter.numel() for parameter in model.parameters()),
        'flops': _flops(model, batch),
        'boxes': all(_has_boxes(one) for one in predicted),
        'counts': _works(lambda: [(predicted_counts(one), true_counts(one)) for one in predicted]),
    }


def _has_boxes(fields: Mapping[str, Any]) -> bool:
    if fields.get('pred_instances') is None or 'bboxes' not in to_dict(fields['pred_instances']):
        return False
    truth = fields.get('gt_instances')
    return fields.get('instances') is not None or (truth is not None and 'bboxes' in to_dict(truth))


def _works(call: Callable[[], object]) -> bool:
    try:
        call()
    except ValueError:
        return False
    return True


def _flops(model: Any, batch: Any) -> int | None:
    """Multiply-adds of the first image of a batch.

    A network that cannot be traced is run instead and its convolutions and matrix products are counted, which is nearly
    all that there is.
    """
    data = model.data_preprocessor(batch, False)
    inputs, samples = data['inputs'][:1], data['data_samples'][:1]
    forward = partial(model.forward, data_samples=samples)
    for count in (_traced_flops, _counted_flops):
        try:
            # The tracer calls the model with its inputs alone.
            model.forward = forward
            with torch.no_grad():
                return count(model, inputs)
        except Exception as error:  # in as many ways as there are models, and this is one cell of a table
            print_log(f'{count.__name__} of {type(model).__name__}: {type(error).__name__}: {error}', 'current')
        finally:
            model.__dict__.pop('forward', None)
    print_log(f'no FLOPs of {type(model).__name__}', 'current', logging.WARNING)
    return None


def _traced_flops(model: nn.Module, inputs: torch.Tensor) -> int:
    return int(get_model_complexity_info(model, None, inputs=inputs, show_table=False, show_arch=False)['flops'])


def _counted_flops(model: nn.Module, inputs: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        model(inputs)
    return int(counter.get_total_flops()) // 2
