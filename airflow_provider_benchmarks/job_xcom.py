"""The XCom that names the job of a task: for code, as the link of the task is for people."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_benchmarks.storable import storable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

JOB_XCOM_KEY = "benchmark_job"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskJob:
    """The job that a task submitted or attached to last."""

    name: str
    workspace: str


def push_job(context: Context, job: TaskJob) -> None:
    """Push the job of a task, before the task waits for it."""
    context["ti"].xcom_push(key=JOB_XCOM_KEY, value=storable(asdict(job)))


def name_map_index(context: Context, *, job: str, benchmark: str | None) -> None:
    """Let ``map_index_template`` name a mapped task by its job: ``{{ benchmark }}``, ``{{ benchmark_job }}``.

    :param benchmark: that the job runs; None where it is not known
    """
    names = {JOB_XCOM_KEY: job, **({} if benchmark is None else {"benchmark": benchmark})}
    for key, name in names.items():
        cast(MutableMapping[str, Any], context)[key] = storable(name)


def pull_job(ti: Any) -> TaskJob | None:
    """Pull the job of a task; blocks while Airflow answers.

    :param ti: the task instance
    :return: None where there is none: the task has not submitted its job yet, or a release before this XCom did
    """
    from airflow.providers.common.compat.sdk import XCom

    value = XCom.get_one(
        key=JOB_XCOM_KEY,
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
    )
    if not isinstance(value, Mapping) or not {"name", "workspace"} <= value.keys():
        return None
    return TaskJob(name=str(value["name"]), workspace=str(value["workspace"]))
