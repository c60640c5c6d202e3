"""The extra of asset events of downloads and gates, so that a DAG that they trigger needs no request for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.scores.means import means_of
from airflow_provider_benchmarks.storable import storable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.operators._base import BenchmarkOperator
    from airflow_provider_benchmarks.scores import AggregateScores


def add_outlet_extra(
    operator: BenchmarkOperator,
    context: Context,
    *,
    job_name: str,
    benchmark: str,
    workspace: str | None = None,
    aggregate: AggregateScores | None = None,
    more: Mapping[str, Any],
) -> None:
    """Attach job, workspace, benchmark, means and more to the events of the task's outlets.

    Outlets that are no assets, such as a lineage entity, have no events.

    :param benchmark: what the job ran
    :param workspace: the job's; None for that of the operator's hook
    :param aggregate: its aggregate scores; fetched where they are None and there are outlets
    :param more: further fields of the extra, as plain JSON
    """
    assets: list[Any] = [outlet for outlet in operator.outlets if isinstance(outlet, _asset_kinds())]
    if not assets:
        return
    extra = {
        "job": job_name,
        "workspace": operator.hook.workspace if workspace is None else workspace,
        "benchmark": benchmark,
        "means": means_of(operator.hook.get_aggregate_scores(job_name) if aggregate is None else aggregate),
        **more,
    }
    for asset in assets:
        context["outlet_events"][asset].extra = storable(extra)


def _asset_kinds() -> tuple[type, ...]:
    from airflow.providers.common.compat.sdk import Asset, AssetAlias

    try:
        from airflow.sdk.definitions.asset import AssetRef
    except ImportError:  # Airflow 2 has no references
        return Asset, AssetAlias
    return Asset, AssetAlias, AssetRef
