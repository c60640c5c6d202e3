"""What commands print: on a terminal, into a pipe, and when something goes wrong."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys

import pytest

from airflow_provider_benchmarks.__main__ import main
from airflow_provider_benchmarks.commands import compare, gate, history, import_results, pin, run, show
from airflow_provider_benchmarks.commands.progress import WatchedRows
from airflow_provider_benchmarks.hooks.row_sources import ServiceRows

COMMANDS = (run, gate, history, compare, show, pin, import_results)
PROGRAM = [sys.executable, "-m", "airflow_provider_benchmarks"]
#: Airflow 2 warns on the error output of what it does without.
QUIET = {"AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True"}


@pytest.mark.parametrize("form", ["table", "md", "html", "json"])
@pytest.mark.parametrize("what", [["history", "w/b"], ["compare", "release-7", "night-2"], ["show", "night-2"]])
def test_names_have_no_hold_on_what_shows_them(command, capsys, form, what):
    assert command(*what, "--format", form) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "[bold]" in shown.replace("\\[", "[").replace("\\]", "]")
    assert form != "html" or "<b>" not in shown
    if form == "table":
        assert "[bold]x[/bold]<b>" in shown


@pytest.mark.parametrize("what", [["history", "w/b"], ["compare", "release-7", "night-2"], ["show", "night-2"]])
@pytest.mark.parametrize("columns", [60, 80, 160])
def test_a_table_fits_the_terminal_and_nothing_is_cut(command, capsys, monkeypatch, what, columns):
    def signs(text: str) -> list[str]:
        return sorted("".join(text.split()).replace("─", ""))

    assert command(*what) == 0
    whole = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", str(columns))
    assert command(*what) == 0
    shown = capsys.readouterr().out
    assert signs(shown) == signs(whole)
    assert columns == 60 or max(map(len, shown.splitlines())) <= columns


def test_an_earlier_name_of_a_form_works(command, capsys):
    assert command("show", "night-2", "--format", "markdown") == 0
    assert "| metric\\_ref |" in capsys.readouterr().out.replace("metric_ref", "metric\\_ref")


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
)
def test_colours_are_for_terminals_whose_users_want_them(store, variables, coloured):
    known = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    terminal, end = pty.openpty()
    arguments = ["show", "night-2", "--gate", "nightly.gate", "--store", store.root]
    environment = known | {"TERM": "xterm"} | variables
    with subprocess.Popen([*PROGRAM, *arguments], stdout=end, stderr=subprocess.PIPE, env=environment) as process:
        os.close(end)
        shown = b""
        try:
            while piece := os.read(terminal, 4096):
                shown += piece
        except OSError:  # Linux: the other end is closed
            pass
        assert process.wait(60) == 0
    os.close(terminal)
    assert b"FAIL: 0 of 1" in shown
    assert (b"\x1b[1;31mFAIL" in shown) == coloured
    assert coloured or b"\x1b" not in shown


def test_an_encoding_without_lines_gets_others(store):
    done = subprocess.run(
        [*PROGRAM, "history", "w/b", "--store", store.root],
        capture_output=True,
        check=False,
        env={**os.environ, **QUIET, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"-----" in done.stdout
    assert b"?" not in done.stdout


def test_a_reader_that_goes_away_is_no_error(store):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*PROGRAM, "history", "w/b", "--store", store.root],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, **QUIET},
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.NAME)
def test_the_help_explains_with_an_example_and_exit_codes(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command.NAME, "--help"])
    said = capsys.readouterr().out
    assert f"\n  benchmarks {command.NAME} " in said
    assert "Exits with 0 when" in said


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.NAME)
def test_the_example_has_arguments_that_the_command_takes(command, monkeypatch):
    asked = []
    monkeypatch.setattr(command, "run", lambda options: asked.append(options) or 0)
    assert main(command.EXAMPLE.split()) == 0
    assert asked[0].command == command.NAME


def test_a_fault_of_the_program_is_one_line_unless_its_place_is_asked_for(command, store, capsys, monkeypatch):
    monkeypatch.setattr("airflow_provider_benchmarks.store.ScoreStore.history", lambda *_, **__: 1 / 0)
    arguments = ["history", "w/b", "--store", store.root]
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err == (
        "could not show the history: ZeroDivisionError: division by zero "
        "(benchmarks --traceback history … shows where)\n"
    )
    assert main(["--traceback", *arguments]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_no_missed_gate(command, store, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("airflow_provider_benchmarks.store.ScoreStore.history", interrupt)
    assert command("history", "w/b") == 130
    assert capsys.readouterr().err == "could not show the history: interrupted\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_download_shows_how_far_it_is_on_a_terminal_alone(monkeypatch, is_terminal):
    class Pieces(list):
        closed = False

        def close(self):
            self.closed = True

    pieces = Pieces([b"a" * 1000, b"b" * 500])
    monkeypatch.setattr(ServiceRows, "open", lambda self: (pieces, 1500))
    monkeypatch.setattr(sys, "stderr", Terminal() if is_terminal else io.StringIO())
    opened, length = WatchedRows(None, "[red]job").open()
    assert (b"".join(opened), length) == (b"a" * 1000 + b"b" * 500, 1500)
    said = sys.stderr.getvalue()
    assert ("rows of [red]job" in said, "1.5/1.5 kB" in said) == (is_terminal, is_terminal)
    assert pieces.closed == is_terminal


def test_json_is_all_that_the_standard_output_has(store):
    done = subprocess.run(
        [*PROGRAM, "show", "night-1", "--store", store.root, "--format", "json"], capture_output=True, check=True
    )
    assert json.loads(done.stdout)["job"] == "night-1"
