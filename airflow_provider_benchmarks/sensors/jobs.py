"""Wait for benchmark jobs that something else has submitted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, conf

from airflow_provider_benchmarks.links import BenchmarkJobLink
from airflow_provider_benchmarks.operators._base import DEFAULT_CONN_ID
from airflow_provider_benchmarks.waiting import deadline_after, defer_arguments, time_left

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook


class BenchmarkJobSensor(BaseSensorOperator):
    """Wait until a benchmark job has completed.

    The sensor's own ``timeout`` ends the wait, not the job, which is somebody else's. ``soft_fail`` skips the task then
    and only then: a job that failed or was cancelled, or that can't be looked at, fails the task in every mode.
    (``never_fail`` skips for that, too, where the sensor is not deferrable.)

    :param job_name: name of the job (templated)
    :param conn_id: connection to the evaluation service (templated)
    :param workspace: workspace of the job; defaults to the connection's (templated)
    :param deferrable: wait in the triggerer, without a worker slot
    :raises JobFailed: the job ended in error; the message has the service's reason and the last log lines
    :raises JobCancelled: someone cancelled the job
    :raises AirflowSensorTimeout: it did not end within the sensor's ``timeout``; where the sensor is deferrable, the
        message has what the job was doing and its last log lines
    """

    template_fields: Sequence[str] = ("job_name", "conn_id", "workspace")
    operator_extra_links = (BenchmarkJobLink(),)
    ui_color = "#e3f2d3"

    def __init__(
        self,
        *,
        job_name: str,
        conn_id: str = DEFAULT_CONN_ID,
        workspace: str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.conn_id = conn_id
        self.workspace = workspace
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> BenchmarkHook:
        from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook

        return BenchmarkHook(self.conn_id, workspace=self.workspace)

    def poke(self, context: Context) -> bool:
        return self.hook.poke(self.job_name)

    def execute(self, context: Context) -> Any:
        BenchmarkJobLink().persist(context, self.hook.job_url(self.job_name))
        if not self.deferrable:
            return super().execute(context)
        if self.poke(context):  # a finished job needs no triggerer
            return None
        self.defer(
            method_name="execute_complete",
            **defer_arguments(
                conn_id=self.conn_id,
                workspace=self.hook.workspace,
                job_name=self.job_name,
                poll_interval=self.poke_interval,
                deadline=deadline_after(self.timeout),
                time_left=time_left(context, self.execution_timeout),
                cancel_on_kill=False,  # the job is somebody else's
            ),
        )
        return None

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Resume after the triggerer's event."""
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        from airflow_provider_benchmarks.exceptions import JobTimeout

        try:
            self.hook.finish_event(event, job_name=self.job_name)
        except JobTimeout as error:  # what soft_fail and the ban on retries look for
            raise AirflowSensorTimeout(str(error)) from error
