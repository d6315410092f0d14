"""From a recorded signature back to the arithmetic that made the score."""

import importlib
import inspect
import pkgutil
from functools import cache

import s2s_lab.metrics
from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Aggregate


def aggregate_of(name: str, signature: str) -> Aggregate:
    """Rebuild what turns recorded sentence statistics into the score, for significance tests on finished runs.

    Args:
        name: The score's name in the record.
        signature: Its signature in the record.

    Raises:
        RequestError: No metric of this installation makes such signatures.
    """
    for metric_class in _metric_classes():
        metric = metric_class.from_signature(name, signature)
        if metric is not None:
            return metric
    raise RequestError(f"score {name!r} has signature {signature!r}, which no metric of this installation makes")


@cache
def _metric_classes() -> tuple[type[Aggregate], ...]:
    classes: dict[str, type[Aggregate]] = {}
    for module_info in pkgutil.iter_modules(s2s_lab.metrics.__path__):
        module = importlib.import_module(f"{s2s_lab.metrics.__name__}.{module_info.name}")
        for name, value in inspect.getmembers(module, inspect.isclass):
            if issubclass(value, Aggregate) and hasattr(value, "kind") and not inspect.isabstract(value):
                classes[name] = value
    return tuple(classes.values())
