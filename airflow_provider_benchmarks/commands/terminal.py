"""What the terminal takes: how wide it is, and whether it shows colours."""

from __future__ import annotations

import io
import os
import shutil
import sys
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.storable import storable_text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

#: The width of what is no terminal: lines are read by programs there, and stay whole.
_ANY_WIDTH = 100_000
_LEAST_WIDTH = 40
#: The signs of tables, for encodings that don't have them.
_PLAIN_SIGNS = str.maketrans("─–…", "--~")


def rendered(*parts: RenderableType, least: int = 0) -> str:
    """Text for the standard output, as wide as the terminal, with colours where it is one (and NO_COLOR is not set).

    :param least: columns that it takes at least
    """
    from rich.console import Console

    file = io.StringIO()
    has_colours = shows_colours()
    console = Console(
        file=file,
        width=max(terminal_width(), least),
        force_terminal=has_colours,
        color_system="standard" if has_colours else None,
        no_color=not has_colours,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part)
    text = "\n".join(line.rstrip() for line in file.getvalue().splitlines())
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text if encoding.lower().startswith("utf") else text.translate(_PLAIN_SIGNS)


def shows_colours() -> bool:
    """True for a terminal whose user wants colours."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or sys.stdout is None:
        return False
    return sys.stdout.isatty()


def inert(text: str, style: str = "") -> Text:
    """A text of others without a hold on the terminal: no control characters, and marks such as [bold] as they are."""
    from rich.text import Text

    return Text(one_line(storable_text(text)), style=style)


def terminal_width() -> int:
    """Columns of the terminal, or of the variable COLUMNS."""
    columns = shutil.get_terminal_size(fallback=(0, 0)).columns
    return max(columns, _LEAST_WIDTH) if columns else _ANY_WIDTH
