"""Log lines of jobs, in the words of the real service's workers."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_benchmarks.testing._state.job import Job, Task
from airflow_provider_benchmarks.testing._state.state import State

#: The service stores no time for lines of its subprocess executor and returns 1970.
_UNKNOWN_TIME = "1970-01-01T00:00:00"
_MAX_STACK_CHARACTERS = 2000
_WORKER = "/opt/nemo/site-packages/nmp/evaluator/tasks/evaluate_benchmark/__main__.py"


def add_text(job: Job, step: str, task: Task, text: str) -> None:
    job.logs.append(
        {
            "timestamp": _UNKNOWN_TIME,
            "job": job.name,
            "job_step": step,
            "job_task": task.name,
            "message": f"[stderr] {text}",
        }
    )


def add_import_warning(job: Job, step: str, task: Task, module: str) -> None:
    main = f"nmp.evaluator.tasks.{module}.__main__"
    add_text(
        job,
        step,
        task,
        f"<frozen runpy>:128: RuntimeWarning: '{main}' found in sys.modules after import of package "
        f"'nmp.evaluator.tasks.{module}', but prior to execution of '{main}'; this may result in unpredictable "
        f"behaviour",
    )


def add_record(state: State, job: Job, step: str, task: Task, message: str, *, level: str, **fields: Any) -> None:
    """Add a structured line: JSON, the level first, the message last."""
    logger = fields.pop("logger", "__main__")
    record = {"level": level, "logger": logger, **fields, "timestamp": f"{state.now()}Z", "message": message}
    add_text(job, step, task, json.dumps(record))


def traceback_text(error_type: str, message: str) -> str:
    return f'Traceback (most recent call last):\n  File "{_WORKER}", line 483, in run\n{error_type}: {message}'


def add_task_error(state: State, job: Job, step: str, task: Task, *, error_type: str, message: str) -> None:
    """Add the line with the error that ended a worker."""
    add_record(
        state,
        job,
        step,
        task,
        "Error in evaluate_benchmark task",
        level="error",
        root_error_type=error_type,
        root_error=message,
        exception=traceback_text(error_type, message),
    )


def _zoned(line: dict[str, str]) -> dict[str, str]:
    """Return a log line whose time, if there is one, has its zone. The log itself has none."""
    if line["timestamp"] == _UNKNOWN_TIME:
        return line
    return {**line, "timestamp": f"{line['timestamp']}+00:00"}


def error_stack(job: Job, task: Task) -> str:
    """Return the end of a task's log, cut in the middle of a line, as the service returns it."""
    lines = "".join(json.dumps(_zoned(line)) + "\n" for line in job.logs if line["job_task"] == task.name)
    return lines[-_MAX_STACK_CHARACTERS:]
