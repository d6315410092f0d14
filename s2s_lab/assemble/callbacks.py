"""The callbacks that a training is asked for beside the laboratory's own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from s2s_lab.assemble.instantiation import build, check_kind

if TYPE_CHECKING:
    from s2s_lab.training.callbacks.base import Callback


def more_callbacks(settings: Mapping[str, Any]) -> "list[Callback]":
    """Builds the callbacks of `callbacks.more`, in its order; a null builds none.

    Args:
        settings: of a training, plain.

    Raises:
        RequestError: if one is no Lightning callback, or cannot be built of its values.
    """
    nodes = {f"callbacks.more.{name}": node for name, node in settings["callbacks"]["more"].items() if node is not None}
    if not nodes:
        return []
    from s2s_lab.training.callbacks.base import Callback

    for place, node in nodes.items():
        check_kind(node, Callback, place)
    return [build(node, place) for place, node in nodes.items()]
