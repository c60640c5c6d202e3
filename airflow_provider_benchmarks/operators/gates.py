"""Gate on a job's scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_benchmarks import exceptions
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.operators._base import BenchmarkOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.gates import Threshold, Verdict

_ON_FAILURE = ("fail", "skip", "continue")
#: The XCom of a verdict. It is pushed before the task fails or skips, when a return value no longer would be.
VERDICT_KEY = "verdict"


class GateFailed(exceptions.GateFailed, AirflowFailException):
    """A gate was missed: the task fails without a retry, since trying again until it passes is no gate."""


class GateInconclusive(exceptions.GateInconclusive, AirflowFailException):
    """A gate can't tell: the task fails without a retry."""


class BenchmarkGateOperator(BenchmarkOperator):
    """Let a DAG go on only if a job's scores pass every check.

    :param job_name: name of the finished job (templated)
    :param checks: :class:`~airflow_provider_benchmarks.gates.Threshold` objects, or the same as plain dicts
    :param on_failure: what a miss does: ``fail`` the task, ``skip`` it and what follows, or ``continue``
    :return: the verdict as a dict, which is pushed under the key ``verdict`` as well, whatever the outcome
    :raises GateFailed: a check missed (an AirflowFailException: no retry)
    :raises GateInconclusive: the scores can't tell (an AirflowFailException: no retry)
    :raises ServiceError: the scores can't be fetched; that is no miss, and is retried
    """

    template_fields: Sequence[str] = ("job_name", *BenchmarkOperator.template_fields)

    def __init__(
        self,
        *,
        job_name: str,
        checks: Sequence[Threshold | Mapping[str, Any]],
        on_failure: str = "fail",
        **kwargs: Any,
    ) -> None:
        from airflow_provider_benchmarks.gates import check_from_dict

        super().__init__(**kwargs)
        if not checks:
            raise ConfigurationError(f'gate "{self.task_id}" has no checks: it would let everything through')
        if on_failure not in _ON_FAILURE:
            raise ConfigurationError(
                f'gate "{self.task_id}": on_failure must be one of {", ".join(_ON_FAILURE)}, found "{on_failure}"'
            )
        self.job_name = job_name
        self.checks = [check_from_dict(check) if isinstance(check, Mapping) else check for check in checks]
        self.on_failure = on_failure

    def execute(self, context: Context) -> dict[str, Any]:
        verdict = self._judge()
        data = verdict.to_dict()
        self.log.info('Gate on benchmark job "%s": %s\n%s', self.job_name, verdict.summary, verdict.to_table())
        context["ti"].xcom_push(key=VERDICT_KEY, value=data)
        self._act_on(verdict)
        return data

    def _judge(self) -> Verdict:
        from airflow_provider_benchmarks.gates import evaluate
        from airflow_provider_benchmarks.scores import JobScores

        aggregate = self.hook.get_aggregate_scores(self.job_name)
        return evaluate(self.checks, JobScores(aggregate, job=self.job_name))

    def _act_on(self, verdict: Verdict) -> None:
        if verdict.outcome == "pass" or self.on_failure == "continue":
            return
        message = (
            f'gate "{self.task_id}" on benchmark job "{self.job_name}" in workspace "{self.hook.workspace}": '
            f"{verdict.summary}\n{verdict.to_table()}"
        )
        if self.on_failure == "skip":
            raise AirflowSkipException(message)
        raise GateInconclusive(message) if verdict.outcome == "inconclusive" else GateFailed(message)
