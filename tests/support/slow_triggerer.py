"""Run ``airflow triggerer`` with a supervisor that answers late, and triggers that hardly wait for an answer.

What triggers run in is Airflow's own, in its own process. That is forked, so what is set here holds there, too.
"""

from __future__ import annotations

import time
from typing import Any

from airflow.__main__ import main
from airflow.jobs.triggerer_job_runner import TriggerRunnerSupervisor

from airflow_provider_benchmarks.triggers import _on_kill

_LATE = {"GetTaskStates": 3.0, "GetConnection": 0.5}

_on_kill.AIRFLOW_TIMEOUT_SECONDS = 0.01
_handle_request = TriggerRunnerSupervisor._handle_request


def _handle_late(self: Any, msg: Any, *args: Any, **kwargs: Any) -> None:
    time.sleep(_LATE.get(type(msg).__name__, 0.0))
    _handle_request(self, msg, *args, **kwargs)


TriggerRunnerSupervisor._handle_request = _handle_late

if __name__ == "__main__":
    main()
