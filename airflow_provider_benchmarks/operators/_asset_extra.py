"""What asset events of downloads and gates say, so that a DAG that they start need not ask the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.scores.means import means_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.operators._base import BenchmarkOperator


def tell_outlets(operator: BenchmarkOperator, context: Context, *, job_name: str, **more: Any) -> None:
    """Attach job, workspace, benchmark, means and more to the events of the task's outlets; asks for nothing without."""
    if not operator.outlets:
        return
    extra = {
        "job": job_name,
        "workspace": operator.hook.workspace,
        "benchmark": operator.hook.get_job(job_name).benchmark,
        "means": means_of(operator.hook.get_aggregate_scores(job_name)),
        **more,
    }
    for outlet in operator.outlets:
        context["outlet_events"][outlet].extra = extra
