"""Directives with what ``get_provider_info`` gives: ``connection-fields`` and ``configuration-options``."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from doc_tables import code, table
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from airflow_provider_benchmarks import get_provider_info
from airflow_provider_benchmarks.client import ClientConfig


class ConnectionFields(SphinxDirective):
    """The extra fields of the connection, as Airflow's form has them."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        defaults = {field.name: field.default for field in dataclasses.fields(ClientConfig)}
        (kind,) = get_provider_info()["connection-types"]
        rows = [
            [code(name), field["label"], _type(field), _default(defaults[name]), field["description"]]
            for name, field in kind["conn-fields"].items()
        ]
        return [table(("key of the extra", "label", "type", "default", "meaning"), rows)]


class ConfigurationOptions(SphinxDirective):
    """The options of the section ``[benchmarks]``."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        (content,) = get_provider_info()["config"].values()
        rows = [
            [
                code(name),
                option["type"],
                code(option["default"]) if option["default"] else "none",
                _meaning(option),
            ]
            for name, option in content["options"].items()
        ]
        return [table(("option", "type", "default", "meaning"), rows)]


def _meaning(option: dict[str, Any]) -> nodes.Node:
    """The description, and an example, which may be a long address."""
    parts: list[nodes.Node] = [nodes.Text(option["description"])]
    if option["example"]:
        parts += [nodes.Text(" Example: "), nodes.literal("", option["example"], classes=["example"])]
    return nodes.inline("", "", *parts)


def _default(value: Any) -> str | nodes.Node:
    """A default as the extra would have it; those that are made anew for each connection are empty."""
    return "none" if value is dataclasses.MISSING else code(f"{value:g}" if isinstance(value, float) else _json(value))


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _type(field: dict[str, Any]) -> str:
    return ", ".join(name for name in field["schema"]["type"] if name != "null")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the directives."""
    app.add_directive("connection-fields", ConnectionFields)
    app.add_directive("configuration-options", ConfigurationOptions)
    return {"parallel_read_safe": True}
