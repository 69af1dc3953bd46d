"""Checkpoints in runs: read without running anything in them, and the models that come along by name."""

from pathlib import Path
from typing import Any

from mmengine.runner.checkpoint import CheckpointLoader

from mmcount.utils.safe_load import read_checkpoint
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
