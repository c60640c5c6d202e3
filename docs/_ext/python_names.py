"""Names of Python in signatures and docstrings: each leads to where it is documented, whichever module it comes from.

A class is documented under the public module that exports it, and annotations name the private one where it is
written. A name that is documented nowhere is a text; one that nothing has is a fault of the docstring that names it.
"""

from __future__ import annotations

import ast
import builtins
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref, pending_xref_condition
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import ExtensionMetadata

import airflow_provider_benchmarks

_PACKAGE = airflow_provider_benchmarks.__name__
_TYPES = ("class", "exception", "function", "data")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Look for what Sphinx did not find."""
    app.connect("missing-reference", _find)
    app.connect("autodoc-process-signature", _without_factories)
    return {"parallel_read_safe": True}


def _without_factories(
    _app: Sphinx, _kind: str, _name: str, _value: Any, _options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Defaults that a dataclass makes are no Python in a signature, which is not understood then."""
    return (signature and signature.replace("<factory>", "..."), returned)


def _find(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Node | None:
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    shown = next(
        (
            each.children[0]
            for each in node.findall(pending_xref_condition)
            if each.get("condition") == "resolved" and each.children
        ),
        content,
    )
    if (found := _documented(env, target)) is not None:
        name, docname, node_id = found
        return make_refnode(app.builder, node["refdoc"], docname, node_id, [shown], name)
    return shown if _is_there(target, node.get("py:module")) else None


def _documented(env: BuildEnvironment, target: str) -> tuple[str, str, str] | None:
    """The only documented object whose name ends as the target does, if the target is of this package."""
    if "." in target and not target.startswith(f"{_PACKAGE}."):
        return None
    last = target.rpartition(".")[2]
    found = [
        (name, entry.docname, entry.node_id)
        for name, entry in env.domains.python_domain.objects.items()
        if name.rpartition(".")[2] == last and entry.objtype in _TYPES
    ]
    return found[0] if len(found) == 1 else None


def _is_there(target: str, module: str | None) -> bool:
    """True if the name can be imported, or a module of the package has it."""
    return (
        hasattr(builtins, target)
        or target in _own_names()
        or _resolves(target.split("."))
        or _resolves(f"{module}.{target}".split("."))
    )


def _resolves(names: list[str]) -> bool:
    """True if the names lead, by modules and then by attributes, to something."""
    for count in range(len(names), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(names[:count]))
        except ImportError:
            continue
        for name in names[count:]:
            value = getattr(value, name, None)
        return value is not None
    return False


@cache
def _own_names() -> frozenset[str]:
    """Every name that a module of the package defines or imports, also what only type checkers import."""
    files = Path(airflow_provider_benchmarks.__file__).parent.rglob("*.py")
    return frozenset(name for file in files for name in _names(ast.parse(file.read_text(encoding="utf-8"))))


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"  # as annotations name what is in another module: pd.DataFrame
        elif isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (name.id for name in node.targets if isinstance(name, ast.Name))
