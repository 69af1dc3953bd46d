"""Registries of scope ``mmcount``, children of MMEngine's roots.

Every registry names the modules that register into it, so that a config needs no ``custom_imports``: the first
lookup imports them. Configs write the scope (``mmcount.DenseCounter``, ``mmdet.ResNet``), because a base file of
another package changes the default scope of everything that it defines.

Every root has a child here, also those without a class of ours: under ``default_scope = 'mmcount'`` MMEngine warns
about each lookup in a registry that has none.
"""

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry


def _child(root: str, *packages: str) -> Registry:
    """A registry below one of MMEngine's, filled by importing ``mmcount.<package>``."""
    parent = getattr(mmengine_registry, root)
    return Registry(parent.name, parent=parent, scope='mmcount', locations=[f'mmcount.{one}' for one in packages])


RUNNERS = _child('RUNNERS', 'engine')
RUNNER_CONSTRUCTORS = _child('RUNNER_CONSTRUCTORS', 'engine')
LOOPS = _child('LOOPS', 'engine')
HOOKS = _child('HOOKS', 'engine')
LOG_PROCESSORS = _child('LOG_PROCESSORS', 'engine')
OPTIMIZERS = _child('OPTIMIZERS', 'engine')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS', 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS', 'engine')
PARAM_SCHEDULERS = _child('PARAM_SCHEDULERS', 'engine')
STRATEGIES = _child('STRATEGIES', 'engine')
DATASETS = _child('DATASETS', 'datasets')
DATA_SAMPLERS = _child('DATA_SAMPLERS', 'datasets')
TRANSFORMS = _child('TRANSFORMS', 'datasets')
MODELS = _child('MODELS', 'models')
MODEL_WRAPPERS = _child('MODEL_WRAPPERS', 'models')
WEIGHT_INITIALIZERS = _child('WEIGHT_INITIALIZERS', 'models')
TASK_UTILS = _child('TASK_UTILS', 'models', 'datasets')
METRICS = _child('METRICS', 'evaluation')
EVALUATOR = _child('EVALUATOR', 'evaluation')
VISUALIZERS = _child('VISUALIZERS', 'visualization')
VISBACKENDS = _child('VISBACKENDS', 'visualization')
INFERENCERS = _child('INFERENCERS', 'apis')
FUNCTIONS = _child('FUNCTIONS', 'engine')
CODECS = Registry('codec', scope='mmcount', locations=['mmcount.codecs'])
