"""The help texts of a flow's form.

Prefect reads them from the docstring of the flow's function. A default of `Field(description=...)`
would be shown as well, but a run without the parameter then gets the Field as its value.
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from flows.options import Options

Function = TypeVar("Function", bound=Callable[..., Any])


def with_help(**texts: str) -> Callable[[Function], Function]:
    """Document the parameters of a function: with `texts`, the others as `Options` does."""

    def document(function: Function) -> Function:
        names = inspect.signature(function).parameters
        lines = [f"    {name}: {texts.get(name) or Options.help(name)}" for name in names]
        summary = inspect.getdoc(function) or ""
        function.__doc__ = "\n".join([summary, "", "Args:", *lines])
        return function

    return document
