"""Work with benchmark scores from a shell: ``benchmarks gate --policy release.yaml …``.

``python -m airflow_provider_benchmarks`` is the same program.
"""

from __future__ import annotations

import argparse
import codecs
import locale
import os
import sys
import textwrap
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from types import ModuleType

from airflow_provider_benchmarks import __version__

#: The modules of the commands, which are imported where an interrupt is told as one.
_COMMANDS = ("run", "gate", "history", "compare", "show", "pin", "import_results")
#: What may be empty: who pins a job is for people.
_MAY_BE_EMPTY = ("by",)
#: The exit code of whatever could not be done, and the one that shells expect of what was interrupted.
FAILED, INTERRUPTED = 2, 130
_EXIT_CODES = """
Exits with 0 when it could be done and nothing speaks against it, 1 when a gate is missed, a job has not completed or no
job is pinned, 2 when it could not be done, or the arguments are wrong, and 130 when interrupted. Errors are one message
on the standard error.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    try:
        available = commands()
        options = parser(available).parse_args(arguments)
        return _run(next(each for each in available if options.command == each.NAME), options)
    except KeyboardInterrupt:  # while modules were imported, or before it was known what to do
        with suppress(OSError):
            print("interrupted", file=sys.stderr)
        return INTERRUPTED


def commands() -> list[ModuleType]:
    """The modules of the commands."""
    return [import_module(f"{__package__}.commands.{name}") for name in _COMMANDS]


def _run(command: ModuleType, options: argparse.Namespace) -> int:
    from airflow_provider_benchmarks.exceptions import BenchmarkError

    try:
        _refuse_empty(options)
        code: int = command.run(options)
    except (BenchmarkError, OSError) as error:
        return _failed(command, str(error), show_trace=options.traceback)
    except KeyboardInterrupt:
        return _failed(command, "interrupted", code=INTERRUPTED)
    except UnicodeDecodeError as error:
        return _failed(command, f"{_of_locale(error)}{_hint(command, options)}", show_trace=options.traceback)
    except Exception as error:  # noqa: BLE001  Python would exit with 1, as if a gate were missed
        reason = f"{type(error).__name__}: {error}{_hint(command, options)}"
        return _failed(command, reason, show_trace=options.traceback)
    return code


def _hint(command: ModuleType, options: argparse.Namespace) -> str:
    return "" if options.traceback else f" (benchmarks --traceback {command.NAME} … shows where)"


def _of_locale(error: UnicodeDecodeError) -> str:
    """What is wrong where a file could not be read as a text: Airflow opens its own in the encoding of the locale."""
    if codecs.lookup(locale.getencoding()).name == "utf-8" or sys.flags.utf8_mode:
        return f"{type(error).__name__}: {error}"
    return (
        f"Airflow reads its own files in the encoding of the locale, {locale.getencoding()}, and they are in UTF-8: "
        f"set LC_ALL=C.UTF-8 or PYTHONUTF8=1"
    )


def _refuse_empty(options: argparse.Namespace) -> None:
    """Refuse an argument that is an empty text, as a variable gives it that is not set.

    :raises ConfigurationError: names it
    """
    from airflow_provider_benchmarks.exceptions import ConfigurationError

    for name, value in vars(options).items():
        texts = value if isinstance(value, list) else [value]
        if name not in _MAY_BE_EMPTY and any(isinstance(text, str) and not text.strip() for text in texts):
            raise ConfigurationError(
                f'argument "{name.replace("_", "-")}" is empty: is the variable set that it is from?'
            )


class _Help(argparse.HelpFormatter):
    """Keeps paragraphs apart, and lines that are indented as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = (part.strip("\n") for part in text.split("\n\n"))
        return "\n\n".join(part if part.startswith("  ") else textwrap.fill(part, width) for part in parts)


def parser(available: Sequence[ModuleType]) -> argparse.ArgumentParser:
    """The parser of the arguments of these commands."""
    about = (__doc__ or "").partition(":")[0]
    is_script = os.path.basename(sys.argv[0]).partition(".")[0] == "benchmarks"
    found = argparse.ArgumentParser(
        prog="benchmarks" if is_script else "python -m airflow_provider_benchmarks",
        description=f"{about}.",
        epilog=_EXIT_CODES,
        formatter_class=_Help,
    )
    found.add_argument("--version", action="version", version=__version__)
    found.add_argument("--traceback", action="store_true", help="show where an error comes from")
    added = found.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in available:
        does, _, more = (command.__doc__ or "").strip().partition("\n\n")
        short = does[0].lower() + " ".join(does[1:].split()).rstrip(".")
        epilog = f"{more}\n\nexample:\n\n  benchmarks {command.EXAMPLE}"
        command.add(added.add_parser(command.NAME, help=short, description=does, epilog=epilog, formatter_class=_Help))
    return found


def _failed(command: ModuleType, reason: str, *, show_trace: bool = False, code: int = FAILED) -> int:
    from airflow_provider_benchmarks.commands.output import print_to
    from airflow_provider_benchmarks.inert import inert_text
    from airflow_provider_benchmarks.masking import safe_text

    trace = traceback.format_exc() if show_trace else ""
    with suppress(OSError):
        print_to(inert_text(safe_text(f"{trace}{command.FAILURE}: {reason}")), sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
