"""Public names of a package, whose modules are imported when a name is first used (PEP 562)."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from typing import Any

from discovery.quiet_tensorflow import import_tensorflow, quiet_from_now_on


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns `__getattr__` and `__dir__` of a package, so that importing it does not import TensorFlow.

    Whoever imports TensorFlow later does it quietly.

    Args:
        package: its `__name__`.
        modules: public name -> the module that defines it. No name may be that of a module of the package,
            as importing the module would hide it.
    """
    quiet_from_now_on()

    def get(name: str) -> Any:
        if name not in modules:
            # Modules of the package are its attributes, as if it had imported them.
            if not name.startswith("_") and importlib.util.find_spec(f"{package}.{name}"):
                return importlib.import_module(f"{package}.{name}")
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        import_tensorflow()
        value = getattr(importlib.import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)  # so that it is looked up only once
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return get, names
