"""Every design method there is: the specifications that the files of `methods` give."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from baseeval.design import methods
from baseeval.design.spec import DesignSpec

_SPECS: list[DesignSpec] = [
    importlib.import_module(f"{methods.__name__}.{module.name}").SPEC
    for module in pkgutil.iter_modules(methods.__path__)
]

#: Every design method there is, by name, in the order of the files' names.
DESIGNS: Mapping[str, DesignSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
