"""The cases, by theme. Each file has a tuple `CASES`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from ..fixture import Case


def every() -> Iterator[Case]:
    """All cases, the files in the order of their names."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        yield from importlib.import_module(f"{__name__}.{module.name}").CASES
