"""Libraries that are imported when something of them is used first."""

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """A module that is filled when something is looked for that it does not have yet.

    Not the standard library's lazy loader: `import` alone, which looks at `__spec__`, makes that
    one load.
    """

    def __getattr__(self, name: str) -> Any:
        self.__class__ = ModuleType  # pyright: ignore[reportAttributeAccessIssue]
        spec = self.__spec__
        if spec is not None and spec.loader is not None:
            if spec.submodule_search_locations is not None:
                self.__path__ = spec.submodule_search_locations
            spec.loader.exec_module(self)
        return getattr(self, name)


def later(name: str) -> None:
    """Let `import name` cost nothing until something of it is used.

    For verbs that seldom need it: the first use must not come from two threads at once.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is not None:
        module = module_from_spec(spec)
        # Whatever is imported from below it asks for this first.
        vars(module).pop("__path__", None)
        module.__class__ = _Later
        sys.modules[name] = module
