"""Fast inference in a test run."""

from mmengine.hooks import EMAHook, Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmcount.models.deploy import prepare_inference
from mmcount.registry import HOOKS


@HOOKS.register_module()
class PrepareInferenceHook(Hook):
    """Replace the model by its prepared copy once its weights are loaded, see :func:`prepare_inference`.

    Args:
        precision: 'fp32' gives the same numbers up to rounding; 'bf16' changes them a little.

    Raises:
        ValueError: There is no such precision.
    """

    def __init__(self, precision: str = 'fp32') -> None:
        if precision not in ('fp32', 'bf16'):
            raise ValueError(f"precision must be 'fp32' or 'bf16', got {precision!r}")
        self.precision = precision

    def before_test(self, runner: Runner) -> None:
        """Prepare the model.

        Raises:
            ValueError: It cannot be prepared, or its weights are exchanged later.
        """
        if any(isinstance(hook, EMAHook) for hook in runner.hooks):
            raise ValueError(
                f'--precision {self.precision} needs the weights before the test starts, but EMAHook exchanges them '
                'later: test without --precision'
            )
        wrapped = is_model_wrapper(runner.model)
        model = runner.model.module if wrapped else runner.model
        try:
            prepared = prepare_inference(model, self.precision)
        except TypeError as error:
            raise ValueError(f'{type(model).__name__} cannot be prepared for {self.precision}: {error}') from error
        if wrapped:
            runner.model.module = prepared
        else:
            runner.model = prepared
        if self.precision == 'bf16':
            print_log('Features are computed in bfloat16: counts differ a little from those of float32.', 'current')
