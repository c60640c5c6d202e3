"""Which task run a job is of, so that its retries find it again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import conf
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_benchmarks.jobs import RunIdentity

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


def identity_of(context: Context, *, unique: bool = False) -> RunIdentity:
    """Return the identity of a task run, the same for all its retries.

    :param unique: return one that no other try has
    """
    ti = context["ti"]
    dag_run = context["dag_run"]
    deployment = conf.get("benchmarks", "deployment", fallback="")
    if not deployment:  # Airflow 3 warns about the option's old name
        deployment = conf.get("api" if AIRFLOW_V_3_0_PLUS else "webserver", "base_url", fallback="") or ""
    return RunIdentity(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        clear_number=getattr(dag_run, "clear_number", 0) or 0,
        max_tries=getattr(ti, "max_tries", 0) or 0,
        deployment=f"{deployment}#{time.time_ns()}" if unique else deployment,
    )
