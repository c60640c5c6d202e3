"""docs/tutorial.md from its first command to its last, and what it says that these print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.airflow_runs import REPOSITORY
from tests.support.airflow_services import free_port
from tests.support.page_commands import run_commands

PAGE = (REPOSITORY / "docs" / "tutorial.md").read_text()
OUTPUTS = re.findall(r"^```text\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
#: What differs from run to run, and what Airflow adds to a line.
_OF_A_RUN = [
    (re.compile(r"nightly-run-[0-9a-f]{12}"), "JOB"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d\.\d+\+00:00)?"), "TIME"),
    (re.compile(r"\d:\d\d:\d\d ago"), "AGO"),
    (re.compile(r"file://\S*?/(?=scores|report)|http://127\.0\.0\.1:\d+"), "PLACE/"),
    (re.compile(r"root$"), "USER"),
]


class Reader:
    """Somebody who does what the page says, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.jobs: list[str] = []
        self._settings = ""

    def mine(self, code: str) -> str:
        """What the page shows, with the reader's folder, port and jobs in place of the page's."""
        shown = dict.fromkeys(re.findall(r"nightly-run-[0-9a-f]{12}", PAGE))
        for theirs, own in zip(shown, self.jobs, strict=False):
            code = code.replace(theirs, own)
        return code.replace("/tmp/gate-tutorial", str(self.folder)).replace("8092", str(self.port))

    def write(self, path: str, code: str) -> None:
        (self.folder / path).write_text(self.mine(code))

    def set(self, commands: str) -> None:
        """Run commands now, and their settings before all later ones."""
        run_commands(f"{self._settings}\n{self.mine(commands)}")
        exports = re.findall(r"^export (?:[^']*?|.*?'[^']*')$", self.mine(commands), flags=re.MULTILINE | re.DOTALL)
        self._settings = "\n".join([self._settings, *exports, f"cd {self.folder}"])

    def run(self, commands: str, *, expected: int = 0) -> str:
        return run_commands(f"{self._settings}\n{{ {self.mine(commands).strip()}\n}} 2>&1", expected=expected)

    @contextmanager
    def service(self, command: str) -> Iterator[str]:
        """Run the service until Enter; give what it printed first."""
        program, *arguments = self.mine(command).split()
        assert program == "python"
        environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        with subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline()
            finally:
                process.communicate("\n", timeout=60)


def lines(text: str) -> list[str]:
    """The lines of an output, without what differs from run to run."""
    for pattern, word in _OF_A_RUN:
        text = re.sub(pattern.pattern, word, text, flags=re.MULTILINE)
    text = re.sub(r"\n {6}(?!row )", " ", text)  # where a reason is broken is up to the length of paths
    return [" ".join(line.split()) for line in text.splitlines() if line.strip(" ─")]


def require_lines(shown: str, printed: str) -> None:
    """Every line that the page shows was printed, in its order."""
    whole = "\n".join(lines(printed))
    place = 0
    for line in lines(shown):
        found = whole.find(line, place)
        assert found >= 0, f"{line!r} is not in, or not there in\n{whole}"
        place = found + len(line)


@pytest.mark.timeout(1800)  # it starts six programs with Airflow in them, one after another
def test_the_tutorial(documented, tmp_path):
    settings, script, start, connection, benchmark, dag, run, history, pin, start_worse, compare, test, run_tests = (
        block.code for block in documented
    )
    started, first, stored, pinned, second, compared, passed = OUTPUTS
    reader = Reader(tmp_path / "tutorial")
    reader.set(settings)
    reader.write("service.py", script)
    reader.set(connection)
    reader.write("dags/benchmarks/sums.yaml", benchmark)
    reader.write("dags/nightly.py", dag)

    with reader.service(start) as printed:
        require_lines(reader.mine(started), printed)
        night = reader.run(run)
    require_lines(first, night)
    reader.jobs += re.findall(r"^PASS: (?s:.*?)(nightly-run-\w+)", night[night.index("PASS: ") :])
    assert "exact-match mean" in (reader.folder / "report.md").read_text()
    require_lines(stored, reader.run(history))
    require_lines(re.sub("root$", "", pinned, flags=re.MULTILINE), reader.run(pin))

    with reader.service(start_worse):
        worse = reader.run(f"{run.strip()} || echo it failed")
    require_lines(second, worse)
    assert worse.splitlines()[-1] == "it failed"
    jobs = dict.fromkeys(re.findall(r"nightly-run-[0-9a-f]{12}", worse))
    reader.jobs += [each for each in jobs if each not in reader.jobs]
    require_lines(compared, reader.run(compare))

    first_line, _, rest = test.partition("\n")
    reader.write("conftest.py", first_line)
    reader.write("test_nightly.py", rest)
    require_lines(passed, reader.run(run_tests))
