"""What the docstring of a class says of it and of its parameters, for the JSON Schemas of files that people write."""

from __future__ import annotations

import inspect
import re

_PARAMETER = re.compile(r":param (\w+): (.*?)(?=^:\w|\Z)", re.DOTALL | re.MULTILINE)


def summary_of(described: type) -> str:
    """The first paragraph."""
    return _plain(inspect.getdoc(described) or "").partition("\n\n")[0].replace("\n", " ")


def parameters_of(described: type) -> dict[str, str]:
    """What is said of each parameter."""
    found = _PARAMETER.findall(inspect.getdoc(described) or "")
    return {name: " ".join(_plain(words).split()) for name, words in found}


def _plain(text: str) -> str:
    return text.replace("``", "")
