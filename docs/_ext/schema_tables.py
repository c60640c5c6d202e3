"""Directive ``schema-table``: the keys of a policy or benchmark file, from the JSON Schema that checks it.

Its argument is the schema's path in the repository, and after ``#`` the definition in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from doc_tables import code, table
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata


class SchemaTable(SphinxDirective):
    """A table with a line for each key."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read the schema, and make its table."""
        path, _, name = self.arguments[0].partition("#")
        file = Path(self.env.srcdir).parent / path
        self.env.note_dependency(file)
        schema = json.loads(file.read_text(encoding="utf-8"))
        part = schema["$defs"][name] if name else schema
        required = {*part.get("required", ()), *_required_of_alternatives(schema, name)}
        rows = [_row(key, rule, key in required) for key, rule in part["properties"].items() if rule is not True]
        return [table(("key", "value", "default", "meaning"), rows)]


def _required_of_alternatives(schema: dict[str, Any], name: str) -> list[str]:
    """What every check must have, whatever its type."""
    required: list[str] = schema["$defs"]["check"]["required"] if name and name != "check" else []
    return required


def _row(key: str, rule: dict[str, Any], is_required: bool) -> list[str | nodes.Node]:
    default: str | nodes.Node = "required" if is_required else "–"
    if rule.get("default") is not None:
        default = code(json.dumps(rule["default"], ensure_ascii=False))
    return [code(key), _values(rule), default, rule.get("description", "")]


def _values(rule: dict[str, Any]) -> str:
    """What the key may have, in words."""
    if "enum" in rule:
        return ", ".join(map(str, rule["enum"]))
    types = rule.get("type", [])
    named = [name for name in ([types] if isinstance(types, str) else types) if name != "null"]
    limits = [
        f"{word} {rule[limit]}"
        for limit, word in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
            ("minItems", "at least"),
        )
        if limit in rule
    ]
    return " ".join([" or ".join(named), ", ".join(limits)]).strip()


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the directive."""
    app.add_directive("schema-table", SchemaTable)
    return {"parallel_read_safe": True}
