"""Directive ``command-help``: what each command prints for ``--help``."""

from __future__ import annotations

import argparse
import os
from unittest import mock

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from airflow_provider_benchmarks import __main__ as program

_COLUMNS = "100"


class CommandHelp(SphinxDirective):
    """A section for each command, the program itself first."""

    def run(self) -> list[nodes.Node]:
        """Format the help of all parsers."""
        # Without colours, and as wide everywhere: argparse asks the environment for both.
        with mock.patch.dict(os.environ, COLUMNS=_COLUMNS, NO_COLOR="1"), mock.patch("sys.argv", ["benchmarks"]):
            parser = program.parser(program.commands())
            (commands,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
            helps = {parser.prog: parser.format_help()}
            helps |= {each.prog: each.format_help() for each in commands.choices.values()}
        return [self._section(name, text) for name, text in helps.items()]

    def _section(self, name: str, text: str) -> nodes.section:
        section = nodes.section(ids=[nodes.make_id(name)], names=[name])
        section += nodes.title("", "", nodes.literal("", name))
        section += nodes.literal_block(text, text, language="text")
        self.state.document.note_explicit_target(section)
        return section


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}
