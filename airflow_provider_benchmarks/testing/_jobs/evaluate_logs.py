"""Log lines of jobs that bring their metrics along: coloured text, as the workers of 0.3, 0.6, 0.7 and 0.8 write it."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.testing._release import Release
from airflow_provider_benchmarks.testing._state.identifiers import timestamp
from airflow_provider_benchmarks.testing._state.job import Job, Task
from airflow_provider_benchmarks.testing._state.outcome import Outcome
from airflow_provider_benchmarks.testing._state.state import State

_RESET, _BOLD, _DIM = "\x1b[0m", "\x1b[1m", "\x1b[2m"
_RED, _GREEN, _BLUE, _MAGENTA, _CYAN = (f"\x1b[{code}m" for code in (31, 32, 34, 35, 36))
_RESILIENCE = {
    "cancellations": 0,
    "endpoints_tracked": 0,
    "limit_decreases": 0,
    "limit_increases": 0,
    "max_endpoint_inflight_seen": 0,
    "operations_completed": 0,
    "operations_started": 0,
    "per_endpoint": {},
    "retries_scheduled": 0,
}
_PACKAGES = "/opt/evaluator/lib/python3.12/site-packages"


class EvaluateLog:
    """Writes the log of one job."""

    def __init__(self, state: State, job: Job, task: Task) -> None:
        self._state = state
        self._job = job
        self._task = task
        release = state.release
        self._release = release
        self._sdk = "nhx_evals_sdk" if release.minor >= 8 else "nemo_evaluator_sdk"
        self._plugin = "nemo_helix_plugin" if release.minor >= 7 else "nemo_platform_plugin"
        self._jobs = "nemo_evals" if release.minor >= 8 else "nemo_evaluator"
        self._class = "AsyncEvaluateJob" if release.minor >= 7 else "EvaluateJob"

    def start(self) -> None:
        for client in _clients(self._release):
            variable = "NHX" if self._release.minor >= 7 else "NMP"
            self._text(
                f"{variable}_PRINCIPAL not set; {client} will authenticate as service:{self._release.prefix} without "
                f"on-behalf-of delegation"
            )

    def saved(self, name: str, artifact_url: str) -> None:
        self._event(
            "info",
            f"Saved result '{name}' to {artifact_url} for job '{self._job.name}' in workspace '{self._job.workspace}'",
            f"{self._plugin}.job_results",
        )

    def evaluated(self) -> None:
        self._event("info", "Resilience session summary", f"{self._sdk}.resilience.api", **_RESILIENCE)

    def result(self, result: dict[str, Any]) -> None:
        """Write the lines with which a job ends that stored its results, scored or not."""
        failed = result["status"] == "failed"
        if failed:
            self._event("error", result["reason"], f"{self._jobs}.jobs.evaluate")
        dispatcher = f"{self._plugin}.tasks.dispatcher"
        self._event("info", f"{self._class} result: {result}", dispatcher)
        if failed:
            self._event("error", f"Job reported status=failed; result: {result}", dispatcher)

    def failure(self, outcome: Outcome) -> None:
        """Write the lines with which a job ends that raised an error."""
        assert outcome.error is not None
        error_type, message = outcome.error
        if outcome.failed_row is not None:
            self._event(
                "error",
                "Benchmark streaming pipeline failed",
                f"{self._sdk}.execution.backends.local.backend",
                raw_error_type="ExceptionGroup",
                root_error=message,
                root_error_type=error_type,
            )
            self.evaluated()
        self._event("error", f"{self._class}.run raised", f"{self._plugin}.tasks.dispatcher")
        self._traceback(error_type, message)

    def _traceback(self, error_type: str, message: str) -> None:
        qualified = f"{self._sdk}.execution.values.{error_type}" if error_type == "EvaluationError" else error_type
        text = (
            f"Traceback (most recent call last):\n"
            f'  File "{_PACKAGES}/{self._plugin}/tasks/dispatcher.py", line 121, in run_task\n'
            f"    (source line)\n"
            f'  File "{_PACKAGES}/{self._jobs}/jobs/evaluate.py", line 507, in run\n'
            f"    (source line)\n"
            f"    ^^^^^^^^^^^^^\n"
            f"{qualified}: {message}"
        )
        if self._release.squeezes_tracebacks:
            self._text(text.replace("\n", " "))
            return
        for line in text.split("\n"):
            self._text(line)

    def _event(self, level: str, message: str, logger: str, **fields: Any) -> None:
        """Write a structured line. 0.3 writes none."""
        if self._release.minor < 6:
            return
        colour = _RED if level == "error" else _GREEN
        time = timestamp(self._state.clock())[:-3]
        shown = "".join(f" {_CYAN}{name}{_RESET}={_MAGENTA}{_shown(value)}{_RESET}" for name, value in fields.items())
        self._text(
            f"{_DIM}{time}{_RESET} [{colour}{_BOLD}{level}{_RESET}] {_BOLD}{message}{_RESET} "
            f"[{_RESET}{_BOLD}{_BLUE}{logger}{_RESET}]{_RESET}{shown}"
        )

    def _text(self, text: str) -> None:
        self._job.logs.append(
            {
                "timestamp": self._state.now(),
                "job": self._job.name,
                "job_step": self._job.step_names[-1],
                "job_task": self._task.name,
                "message": f"[stderr] {text}",
            }
        )


def _clients(release: Release) -> tuple[str, ...]:
    """Return what a worker says of its clients, in its words."""
    if release.minor < 6:
        return ("task SDK", "async task SDK")
    clients = ("task NemoClient", "async task NemoClient")
    return ("task SDK", *clients) if release.minor < 7 else clients


def _shown(value: Any) -> str:
    text = str(value).replace("\n", " ")
    return repr(text) if " " in text else text
