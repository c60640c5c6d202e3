"""Run the commands that pages show, in a shell, with this environment's programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.airflow_runs import REPOSITORY
from tests.support.page_dags import PageDags


def run_commands(commands: str, dags: PageDags | None = None, *, expected: int = 0, **variables: str) -> str:
    """Run lines of bash; return what they printed to the standard output.

    :param dags: the folder to run them in
    :param expected: the exit code
    :param variables: further ones of the environment
    """
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        **variables,
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=dags.folder if dags else None,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout
