"""Checkpoints in runs: read without running anything in them, whether they fit, and the models that come along."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmcount.utils.safe_load import CheckpointError, read_checkpoint
from mmcount.zoo import LoadedModel, load, read_model

#: ``load_from = 'mmcount://cells'`` starts a training from a model that comes along.
SCHEME = 'mmcount://'


def model_checkpoint(model: LoadedModel) -> dict[str, Any]:
    """Weights and classes of a model file, laid out as a checkpoint of MMEngine."""
    return dict(state_dict=model.state_dict, meta=dict(dataset_meta=dict(classes=tuple(model.card.classes))))


def load_local(filename: str, map_location: Any = None, trust: bool = False) -> dict[str, Any]:
    """Read a checkpoint or a model file.

    Args:
        filename: ``*.safetensors`` of :func:`mmcount.zoo.write_model`, or a checkpoint of PyTorch.
        map_location: Unused: the tensors go to the CPU, and whoever takes them moves them.
        trust: Also unpickle objects of any kind, which runs code of the file.
    """
    path = Path(filename).expanduser()
    return model_checkpoint(read_model(path)) if path.suffix == '.safetensors' else read_checkpoint(path, trust)


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_from_package(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a model that comes along: ``mmcount://<name>``."""
    return model_checkpoint(load(filename.removeprefix(SCHEME)))


def use_safe_checkpoints(trust: bool = False) -> None:
    """Let MMEngine read local checkpoints of this process with :func:`load_local`.

    MMEngine itself unpickles whatever a checkpoint holds beside weights. It prints the name of a loader without its
    first ten letters.
    """

    def load_from_safe_local(filename: str, map_location: Any = None) -> dict[str, Any]:
        return load_local(filename, map_location, trust)

    CheckpointLoader.register_scheme(prefixes='', loader=load_from_safe_local, force=True)


def load_weights(model: nn.Module, checkpoint: Mapping[str, Any], weights: str | Path) -> Sequence[str]:
    """Load the weights into the model, or say what does not fit: a counter with random layers counts nonsense.

    Args:
        model: Filled.
        checkpoint: Weights, bare or under ``state_dict``.
        weights: What an error message calls them.

    Returns:
        Names in the checkpoint that the model does not know.

    Raises:
        CheckpointError: A parameter or a running statistic of the model is missing or has another shape.
    """
    state = checkpoint.get('state_dict', checkpoint)
    misfit = f'{weights} does not fit the {type(model).__name__} of the config'
    if not isinstance(state, Mapping):
        raise CheckpointError(f'{misfit}: expected a dict of tensors, found {type(state).__name__}')
    # Only then: a plain dict loses the versions of modules, by which they rename tensors of older ones.
    if any(key.startswith('module.') for key in state):
        state = {key.removeprefix('module.'): value for key, value in state.items()}
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise CheckpointError(f'{misfit}: {" ".join(str(error).split())[:500]}') from error
    parameters = {key for key, _ in model.named_parameters()}
    lost = [key for key in missing if key in parameters or key.endswith(('.running_mean', '.running_var'))]
    if lost:
        raise CheckpointError(f'{misfit}: {len(lost)} of its tensors are missing, the first is {lost[0]!r}')
    return unexpected
