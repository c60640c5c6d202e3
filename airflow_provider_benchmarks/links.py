"""Links from a task in the Airflow UI to the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from airflow_provider_benchmarks.storable import storable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class BenchmarkJobLink(BaseOperatorLink):
    """The URL of the job on the service."""

    name = "Benchmark job"

    @property
    def xcom_key(self) -> str:
        return "_link_BenchmarkJobLink"

    def persist(self, context: Context, url: str) -> None:
        """Push the URL now, so that the link works while the task is still running."""
        context["ti"].xcom_push(key=self.xcom_key, value=storable(url))

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return XCom.get_value(ti_key=ti_key, key=self.xcom_key) or ""
