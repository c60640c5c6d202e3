"""Wait for benchmark jobs that something else has submitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, conf

from airflow_provider_benchmarks.deferral import deadline_after, deferral_timeout, is_of_earlier_try
from airflow_provider_benchmarks.durations import seconds_of
from airflow_provider_benchmarks.job_xcom import name_map_index
from airflow_provider_benchmarks.jobs import WaitLog
from airflow_provider_benchmarks.links import BenchmarkJobLink, link_job
from airflow_provider_benchmarks.operators._arguments import FLAG, TEXT, WORKSPACE, CheckedArguments, Rule
from airflow_provider_benchmarks.operators._base import DEFAULT_CONN_ID
from airflow_provider_benchmarks.operators._final_errors import fails_for_good
from airflow_provider_benchmarks.operators._lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook


class BenchmarkJobSensor(ReportsLineage, CheckedArguments, BaseSensorOperator):
    """Wait until a benchmark job has completed.

    The arguments of Airflow's sensors mean the same as ever: ``poke_interval`` is the number of seconds between two
    polls, and ``timeout`` (seconds or timedelta) ends the wait, not the job, which belongs to somebody else.
    ``soft_fail`` skips the task at the ``timeout`` and only then: a job that failed or was cancelled, or that can't be
    polled, fails the task in every mode. (``never_fail`` skips for these, too, where the sensor is not deferrable.)

    :param job_name: name of the job (templated)
    :param conn_id: connection to the evaluation service (templated). Default: ``nemo_evaluator_default``
    :param workspace: workspace of the job; None (the default) for the connection's (templated)
    :param deferrable: wait in the triggerer, without a worker slot. Default: ``[operators] default_deferrable``
    :raises JobFailed: the job ended in error; the message has the service's reason and the last log lines
    :raises JobCancelled: the job was cancelled
    :raises ServiceError: the service gave a definite response that is not a job, such as 404
    :raises AirflowSensorTimeout: the job did not finish within ``timeout``; where the sensor is deferrable, the message
        has what the job was doing and its last log lines
    """

    template_fields: Sequence[str] = ("job_name", "conn_id", "workspace")
    takes_job = True
    argument_rules: Mapping[str, Rule] = {
        "conn_id": TEXT,
        "workspace": WORKSPACE,
        "deferrable": FLAG,
    }
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
        self._lines: WaitLog | None = None
        self.check_known_arguments()
        if deferrable:  # Airflow's own poll may have no pause
            seconds_of(self.poke_interval, f'task "{self.task_id}": poke_interval')

    @cached_property
    def hook(self) -> BenchmarkHook:
        from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook

        return BenchmarkHook(self.conn_id, workspace=self.workspace)

    def poke(self, context: Context) -> bool:
        return self.hook.poke(self.job_name, lines=self._lines)

    @fails_for_good
    def execute(self, context: Context) -> Any:
        lineage = self.begin_lineage()
        self.check_rendered_arguments()
        lineage.reads_scores(self.job_name)
        name_map_index(context, job=self.job_name, benchmark=None)
        link_job(context, self.hook, self.job_name)
        if not self.deferrable:
            # A sensor that is rescheduled begins anew with each poll: when it ends is known to Airflow alone.
            deadline = None if self.reschedule else deadline_after(self.timeout)
            self._lines = WaitLog(self.job_name, deadline=deadline)
            return super().execute(context)
        if not self.poke(context):  # a finished job needs no triggerer
            self._defer(context)
        return None

    def _defer(self, context: Context) -> None:
        from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger

        deadline = deadline_after(self.timeout)
        trigger = BenchmarkJobTrigger(
            conn_id=self.conn_id,
            workspace=self.hook.workspace,
            job_name=self.job_name,
            poll_interval=self.poke_interval,
            deadline=deadline,
            cancel_on_kill=False,  # the job belongs to somebody else
        )
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            timeout=deferral_timeout(context, deadline=deadline, execution_timeout=self.execution_timeout),
            kwargs={"try_number": context["ti"].try_number},
        )

    @fails_for_good
    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, *, try_number: int | None = None
    ) -> Any:
        """Resume after the trigger's event.

        :param event: the event's payload; anything but a completed job raises
        :param try_number: the try that deferred; a later one begins anew
        """
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        from airflow_provider_benchmarks.exceptions import JobTimeout

        if is_of_earlier_try(context, try_number):
            return self.execute(context)
        self.begin_lineage().reads_scores(self.job_name)
        name_map_index(context, job=self.job_name, benchmark=None)
        with suppress(Exception):  # lineage names the service, which nothing else of a task with a completed job reads
            _ = self.hook.workspace
        try:
            self.hook.finish_event(event, job_name=self.job_name, timeout=self.timeout)
        except JobTimeout as error:  # soft_fail looks for this class, and Airflow does not retry it
            raise AirflowSensorTimeout(str(error)) from error
