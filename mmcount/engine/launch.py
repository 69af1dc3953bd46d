"""From the command line to MMEngine's runner: what ``tools/train.py`` and ``tools/test.py`` share."""

import argparse
import logging
import os
import os.path as osp
import sys

import torch
import torch.distributed
from mmengine.config import Config
from mmengine.runner import Runner

from mmcount.utils import register_all_modules

from .config import read_config
from .options import OptionAction

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


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


def enable_mixed_precision(cfg: Config, has_accelerator: bool) -> None:
    """Turn on ``--amp``: MMEngine's wrapper on an accelerator, bfloat16 on a CPU, nothing where a config has it.

    Raises:
        ValueError: the config's optimizer wrapper is of another kind.
    """
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind in ('AmpOptimWrapper', 'mmcount.BFloat16OptimWrapper'):
        return
    if kind != 'OptimWrapper':
        raise ValueError(f'--amp needs optim_wrapper.type OptimWrapper, the config has {kind}')
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
        raise ValueError(f"launcher {cfg.launcher!r} needs GPUs; without them use 'pytorch' (torchrun)")
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
