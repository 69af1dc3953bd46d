"""The ``mmcount::`` operator library: every schema is declared here in Python, and only here.

C++ files register kernels for the CPU and CUDA dispatch keys against these schemas. The Python reference sits behind
them (``CompositeExplicitAutograd``), so any device without a compiled kernel runs it through the same
``torch.ops.mmcount`` name.
"""

from collections.abc import Callable
from typing import Any

import torch

NAMESPACE = 'mmcount'
# Kept alive for the life of the process: dropping a Library removes what it registered.
_library = torch.library.Library(NAMESPACE, 'FRAGMENT')
_declared: dict[str, str] = {}


def register_op(
    schema: str,
    *,
    reference: Callable[..., Any],
    fake: Callable[..., Any],
    setup_context: Callable[..., Any] | None = None,
    backward: Callable[..., Any] | None = None,
) -> None:
    """Declare one operator; the same declaration again, as by a reloaded module, changes nothing.

    Args:
        schema: ``name(Tensor x, ...) -> ...`` without the namespace.
        reference: Python implementation on any device; takes the schema's arguments in its order.
        fake: Shape-only implementation for ``torch.compile`` and export.
        setup_context: ``setup_context(ctx, inputs, output)`` of ``torch.library.register_autograd``.
        backward: ``backward(ctx, *grads)``; None makes the op non-differentiable.

    Raises:
        ValueError: The name is taken by another schema.
    """
    name = schema[: schema.index('(')].strip()
    if _declared.setdefault(name, schema) != schema:
        raise ValueError(f'op {name} is declared already, as {_declared[name]}; got {schema}')
    qualified = f'{NAMESPACE}::{name}'
    if hasattr(getattr(torch.ops, NAMESPACE), name):
        return
    _library.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    _library.impl(name, reference, 'CompositeExplicitAutograd')
    torch.library.register_fake(qualified, fake, lib=_library)
    if backward is not None:
        torch.library.register_autograd(qualified, backward, setup_context=setup_context, lib=_library)
