"""Start a real NeMo Platform for tests (from 0.7 on NeMo Helix): SQLite, local files, nothing outside its folder.

Jobs are subprocesses. ``make test-system`` and ``make test-generations`` install each release into an environment of
its own, since it can't be installed with Airflow.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.airflow_services import free_port, wait_for

_REPOSITORY = Path(__file__).parents[2]
_SERVICES = "entities,jobs,files,secrets,models"
#: Name of the evaluation service by release.
_EVALUATION = {"0.1": "evaluation", "0.8": "evals"}
_LATER_EVALUATION = "evaluator"
_START_LIMIT = 900.0
#: Releases that tests run on; the Makefile says which.
_RELEASES = tuple(os.environ.get("NEMO_PLATFORM_RELEASES", "0.1").split())


class RealPlatform:
    """A context manager; ``url`` is the platform's base address.

    :param controllers: False leaves jobs in ``created`` until requests to the jobs service move them
    :param release: the platform's; its environment is ``.venv-platform-0.8``, for instance
    """

    def __init__(self, *, controllers: bool = True, release: str = "0.1") -> None:
        self._controllers = controllers
        self.release = release
        self.venv = _REPOSITORY / f".venv-platform-{release}"
        self._state = Path(tempfile.mkdtemp(prefix="nemo-platform-"))
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        for folder in ("home", "files", "jobs"):
            (self._state / folder).mkdir()
        # JSON is YAML too.
        (self._state / "config.yaml").write_text(json.dumps(self._config()))
        with (self._state / "platform.log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self._state,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_for(self._is_ready, _START_LIMIT, self.log)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def process_group(self) -> int | None:
        """Of the platform's processes, while it runs."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._end_jobs()
        shutil.rmtree(self._state, ignore_errors=True)

    def log(self) -> str:
        """The end of the platform's own log."""
        return (self._state / "platform.log").read_text(errors="replace")[-5000:]

    def _end_jobs(self) -> None:
        """End jobs that outlive the platform: each is a process that works in our own state folder."""
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                working_folder = (entry / "cwd").readlink()
            except OSError:
                continue
            if working_folder.is_relative_to(self._state):
                os.kill(int(entry.name), signal.SIGKILL)

    def _is_ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"the platform ended with {self._process.returncode}:\n{self.log()}")
        try:
            ready = httpx.get(f"{self.url}/health/ready", trust_env=False, timeout=5).status_code == 200
            status = httpx.get(f"{self.url}/status", trust_env=False, timeout=5).json() if ready else {}
        except (httpx.HTTPError, ValueError):
            return False
        controllers = (status.get("controllers") or {}).get("status") or {}
        # Its controllers are job_scheduler and job_reconciler, or from 0.7 on jobs.
        running = bool(controllers) and all(controllers.values())
        return ready and (not self._controllers or running)

    def _command(self) -> list[str]:
        command = [str(self.venv / "bin" / "nemo"), "services", "run", "--config", str(self._state / "config.yaml")]
        services = f"{_SERVICES},{_EVALUATION.get(self.release, _LATER_EVALUATION)}"
        command += ["--host", "127.0.0.1", "--port", str(self._port), "--services", services]
        return [*command, "--controllers", "jobs"] if self._controllers else command

    def _environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("NMP_", "NEMO_", "NHX_"))}
        path = f"{self.venv / 'bin'}{os.pathsep}{inherited.get('PATH', '')}"
        return {**inherited, "HOME": str(self._state / "home"), "PATH": path, "PYTHONUNBUFFERED": "1"}

    def _config(self) -> dict[str, Any]:
        jobs = {
            "working_directory": str(self._state / "jobs"),
            "cleanup_completed_jobs_immediately": False,
            "ttl_seconds_before_active": 300,
            "ttl_seconds_active": 3600,
            "ttl_seconds_after_finished": 600,
            "graceful_shutdown_timeout_seconds": 3,
        }
        if self.release in ("0.7", "0.8"):
            del jobs["graceful_shutdown_timeout_seconds"]  # they know it no more, and refuse what they don't know
        own = {"evaluator": {"recreate_existing_system_entities": False}} if self.release == "0.1" else {}
        return {
            "platform": {"runtime": "none", "base_url": self.url},
            "service": {},
            # Where unsigned tokens would be taken, a token that is none is refused, though nobody has to have one.
            "auth": {"enabled": False, "allow_unsigned_jwt": True},
            "entities": {},
            "jobs": {
                # The least that the controller takes; a small job ends in 10 to 20 seconds so.
                "schedule_interval_seconds": 1,
                "reconcile_interval_seconds": 1,
                # Without this profile the platform would want containers.
                "executors": [
                    {"provider": "subprocess", "profile": "default", "backend": "subprocess", "config": jobs}
                ],
                "executor_defaults": {"subprocess": jobs},
            },
            **own,
            "models": {"controller": {"interval_seconds": 5}},
            "inference_gateway": {},
            "secrets": {"allow_key_creation": True},
            "files": {"default_storage_config": {"type": "local", "path": str(self._state / "files")}},
        }


def real_releases(wanted: Iterable[str]) -> list[str]:
    """Return those of some releases that tests run on."""
    return [release for release in wanted if release in _RELEASES]
