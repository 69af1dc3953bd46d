"""From the command line to MMEngine's runner: what ``tools/train.py`` and ``tools/test.py`` share."""

import argparse
import logging
import os
import os.path as osp
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner

from mmcount.utils import register_all_modules
from mmcount.utils.atomic import check_writable
from mmcount.utils.config_files import config_path
from mmcount.utils.errors import AnnotationError, SettingError
from mmcount.utils.safe_load import CheckpointError
from mmcount.zoo import ModelFileError, UnknownModelError

from .checkpoints import use_safe_checkpoints
from .config import read_config
from .option_action import OptionAction

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
#: What is told in one line, as the user can cure it; other errors keep their trace.
USER_ERRORS = (FileNotFoundError, AnnotationError, CheckpointError, ModelFileError, SettingError, UnknownModelError)


@contextmanager
def told_in_one_line(errors: tuple[type[Exception], ...] = USER_ERRORS) -> Iterator[None]:
    """Print an error of the user's in one line and exit with 2, as for a wrong option."""
    try:
        yield
    except errors as error:
        print(f'ERROR: {error}', file=sys.stderr)
        sys.exit(2)


def common_parser(description: str) -> argparse.ArgumentParser:
    """Arguments of training and testing, named as in the rest of OpenMMLab."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder of logs, checkpoints and pictures')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionAction,
        help='override values and variables of the config as key=value; lists as key=a,b or key="[a,b]"',
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='unpickle any object in checkpoints, which runs their code',
    )
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by the launcher')
    return parser


def load_config(args: argparse.Namespace) -> Config:
    """Read the config with the overrides of the command line.

    The work dir is, in this order: the argument, the config's, ``./work_dirs/<name of the config>``.
    """
    register_all_modules(init_default_scope=False)
    if 'LOCAL_RANK' not in os.environ:
        os.environ['LOCAL_RANK'] = str(args.local_rank)
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('./work_dirs', osp.splitext(osp.basename(args.config))[0])
    return cfg


def command_config(config: str, overrides: Sequence[str] = (), work_dir: str | None = None) -> Config:
    """The config of the command ``mmcount``, read as the scripts in ``tools`` read theirs.

    Args:
        config: File, or name of a config that comes along.
        overrides: Entries ``key=value``, as of ``--cfg-options``.
        work_dir: Folder of the run.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: An override is no ``key=value``.
    """
    wrong = [one for one in overrides if '=' not in one or one.startswith(('=', '-'))]
    if wrong:
        raise ValueError(f'expected key=value after the config, got {wrong[0]!r}')
    arguments = [config_path(config), *(['--work-dir', work_dir] if work_dir else [])]
    if overrides:
        arguments += ['--cfg-options', *overrides]
    return load_config(common_parser('').parse_args(arguments))


def enable_mixed_precision(cfg: Config, has_accelerator: bool) -> None:
    """Turn on ``--amp``: MMEngine's wrapper on an accelerator, bfloat16 on a CPU, nothing where a config has it.

    Raises:
        SettingError: The config's optimizer wrapper is of another kind.
    """
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind in ('AmpOptimWrapper', 'mmcount.BFloat16OptimWrapper'):
        return
    if kind != 'OptimWrapper':
        raise SettingError(f'--amp needs optim_wrapper.type OptimWrapper, the config has {kind}')
    if has_accelerator:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    else:
        cfg.optim_wrapper.type = 'mmcount.BFloat16OptimWrapper'


def prepare_cpu_distributed(cfg: Config) -> None:
    """Let several processes train on CPUs: gloo, and a wrapper without device ids.

    MMEngine's own start-up selects a CUDA device and its wrapper names one; a torch without CUDA has neither.
    """
    if cfg.launcher == 'none' or torch.cuda.is_available():
        return
    if cfg.launcher != 'pytorch':
        raise SettingError(f"launcher {cfg.launcher!r} needs GPUs; without them use 'pytorch' (torchrun)")
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None)
    for key in ('find_unused_parameters', 'broadcast_buffers', 'detect_anomalous_params'):
        if key in cfg:
            wrapper[key] = cfg[key]
    cfg.setdefault('model_wrapper_cfg', wrapper)


def finish_distributed() -> None:
    """Leave the process group, and on CPUs the process.

    Threads of gloo may outlive its group, and a C++ thread that still runs when the interpreter takes its modules down
    aborts the process (exit status -6) after all work is done. Everything that was written is flushed first.
    """
    if not torch.distributed.is_initialized():
        return
    on_cpu = torch.distributed.get_backend() == 'gloo'
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    if on_cpu:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def build_runner(cfg: Config) -> Runner:
    """The runner of a config, which may name its own class."""
    prepare_cpu_distributed(cfg)
    if 'runner_type' not in cfg:
        return Runner.from_cfg(cfg)
    from mmengine.registry import RUNNERS

    return RUNNERS.build(cfg)


def run_training(cfg: Config, amp: bool = False, resume: str | None = None, trust_checkpoint: bool = False) -> None:
    """Train.

    Args:
        cfg: Of :func:`load_config`.
        amp: Train in mixed precision.
        resume: Checkpoint to resume from; 'auto' takes the latest of the work dir.
        trust_checkpoint: Unpickle any object in checkpoints, which runs code of the files.

    Raises:
        SettingError: An option cannot be honoured.
    """
    use_safe_checkpoints(trust_checkpoint)
    check_writable(cfg.work_dir, folder=True)
    if amp:
        enable_mixed_precision(cfg, has_accelerator=get_device() != 'cpu')
    if resume is not None:
        cfg.resume = True
        cfg.load_from = None if resume == 'auto' else resume
    build_runner(cfg).train()


def run_test(
    cfg: Config,
    checkpoint: str,
    out: str | None = None,
    csv: str | None = None,
    show_dir: str | None = None,
    precision: str | None = None,
    trust_checkpoint: bool = False,
) -> dict[str, float]:
    """Test.

    Args:
        cfg: Of :func:`load_config`.
        checkpoint: The weights.
        out: Pickle file of all predictions.
        csv: CSV file with a row for every image and class.
        show_dir: Folder that gets a picture of every image.
        precision: 'fp32' or 'bf16': prepare the model for fast inference, without the autocast that the config may set;
            None tests it as the config says.
        trust_checkpoint: Unpickle any object in the checkpoint, which runs code of the file.

    Returns:
        The metrics.

    Raises:
        SettingError: An option is not valid.
        CheckpointError: The weights do not fit the model.
    """
    use_safe_checkpoints(trust_checkpoint)
    for path, folder in ((cfg.work_dir, True), (csv, False), (out, False), (show_dir, True)):
        if path is not None:
            check_writable(path, folder)
    cfg.load_from = checkpoint
    if show_dir is not None:
        cfg.default_hooks.visualization.update(draw=True, test_out_dir=show_dir)
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    if csv is not None:
        evaluators = [*evaluators, dict(type='mmcount.DumpCounts', out_file=csv)]
    if out is not None:
        if not out.endswith(('.pkl', '.pickle')):
            raise SettingError(f'--out must end in .pkl or .pickle, got {out}')
        evaluators = [*evaluators, dict(type='DumpResults', out_file_path=out)]
    cfg.test_evaluator = evaluators
    hooks = [*(cfg.get('custom_hooks') or []), dict(type='mmcount.FittingWeightsHook')]
    if precision is not None:
        # The stated precision, not that of an autocast around it.
        cfg.test_cfg.pop('fp16', None)
        hooks.append(dict(type='mmcount.PrepareInferenceHook', precision=precision))
    cfg.custom_hooks = hooks
    return build_runner(cfg).test()
