"""Makes Hydra know launchers and sweepers of the laboratory.

Hydra takes plugins from a package called `hydra_plugins` alone, whose modules it would all import at each start. The
laboratory's part of it is made in memory when a command needs it.
"""

import importlib
import sys
import types

from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin

PACKAGE = "hydra_plugins"
PLUGINS = f"{PACKAGE}.s2s_lab"
"""The module that plugins of ours say they are of, and that configurations name."""


def register(*plugins: type[Plugin]) -> None:
    """Registers classes whose `__module__` is PLUGINS.

    Args:
        plugins: launchers and sweepers.
    """
    try:
        package = importlib.import_module(PACKAGE)
    except ModuleNotFoundError:
        package = sys.modules[PACKAGE] = types.ModuleType(PACKAGE)
        package.__path__ = []
    module = sys.modules.setdefault(PLUGINS, types.ModuleType(PLUGINS))
    setattr(package, "s2s_lab", module)  # noqa: B010
    for plugin in plugins:
        setattr(module, plugin.__name__, plugin)
        Plugins.instance().register(plugin)
