"""Work with benchmark scores from a shell: ``python -m airflow_provider_benchmarks gate --policy release.yaml …``."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType

from airflow_provider_benchmarks.commands import gate, import_results, run
from airflow_provider_benchmarks.commands.output import print_to
from airflow_provider_benchmarks.exceptions import BenchmarkError

_COMMANDS = (gate, import_results, run)
#: The exit code of whatever could not be done.
FAILED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    options = _parser().parse_args(arguments)
    command = next(each for each in _COMMANDS if options.command == each.NAME)
    try:
        code: int = command.run(options)
    except (BenchmarkError, OSError) as error:
        return _failed(command, str(error))
    except Exception as error:  # noqa: BLE001  Python would exit with 1, as if a gate were missed
        return _failed(command, f"{type(error).__name__}: {error}", traceback.format_exc())
    return code


def _parser() -> argparse.ArgumentParser:
    about = (__doc__ or "").partition(":")[0]
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_benchmarks", description=f"{about}.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in _COMMANDS:
        does, _, more = (command.__doc__ or "").strip().partition("\n\n")
        short = does[0].lower() + does[1:].rstrip(".")
        command.add(commands.add_parser(command.NAME, help=short, description=does, epilog=more))
    return parser


def _failed(command: ModuleType, reason: str, trace: str = "") -> int:
    with suppress(OSError):
        print_to(f"{trace}{command.FAILURE}: {reason}", sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
