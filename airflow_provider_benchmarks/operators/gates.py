"""Gates: let a DAG go on only if the scores hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, BranchMixIn

from airflow_provider_benchmarks import exceptions
from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError, NotStored
from airflow_provider_benchmarks.operators._asset_extra import add_outlet_extra
from airflow_provider_benchmarks.operators._base import (
    DEFAULT_CONN_ID,
    BenchmarkOperator,
    checked_aliases,
    has_template,
    score_store,
)
from airflow_provider_benchmarks.operators._gate_arguments import (
    has_no_store,
    read_checks,
    render_checks,
    require_extras,
    require_store,
)
from airflow_provider_benchmarks.operators._gate_record import Record, check_report, store_report, xcom_of
from airflow_provider_benchmarks.operators._reviewed_file import ReviewedFile

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_benchmarks.gates import Check, Policy, Verdict
    from airflow_provider_benchmarks.operators._service_source import ServiceSource
    from airflow_provider_benchmarks.store import ScoreStore, StoredJob

_ON_FAILURE = ("fail", "skip", "continue")
#: The XCom key of a verdict. It is pushed before the task fails or skips: then Airflow pushes no return value.
VERDICT_KEY = "verdict"


class GateFailed(exceptions.GateFailed, AirflowFailException):
    """A gate was missed: the task fails without a retry, since a gate that is retried until it passes is none."""


class GateInconclusive(exceptions.GateInconclusive, AirflowFailException):
    """A gate is inconclusive: the task fails without a retry."""


class _GateOperator(BenchmarkOperator):
    """Judge a job's scores, and write the verdict to every place that is to have it. The subclasses document it."""

    template_fields: Sequence[str] = (
        "job_name",
        "policy",
        "baseline",
        "store",
        "report",
        "aliases",
        *BenchmarkOperator.template_fields,
    )

    def __init__(
        self,
        *,
        job_name: str,
        checks: Sequence[Check | Mapping[str, Any]] | None = None,
        policy: str | None = None,
        baseline: str | None = None,
        store: str | None = None,
        report: str | None = None,
        if_inconclusive: str | None = None,
        if_no_baseline: str | None = None,
        aliases: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.checks = read_checks(checks, gate=self.task_id)
        self.policy = _path(policy)
        self.baseline = _path(baseline)
        self.store = _path(store)
        self.report = _path(report)
        self.if_inconclusive = if_inconclusive
        self.if_no_baseline = if_no_baseline
        self.aliases = checked_aliases(aliases, task=self.task_id)
        self._verdict: Verdict | None = None
        self._check_arguments()

    def _check_arguments(self) -> None:
        """Refuse wrong arguments as soon as the DAG is parsed.

        :raises ConfigurationError: says what is wrong
        """
        if self.policy is None and not self.checks:
            raise ConfigurationError(f'gate "{self.task_id}" has no checks: it would let everything through')
        if self.policy is not None and self.checks:
            raise ConfigurationError(f'gate "{self.task_id}": give checks or a policy file, not both')
        if isinstance(self.report, str) and not has_template(self.report):
            check_report(self.report, gate=self.task_id)
        for name in ("if_inconclusive", "if_no_baseline"):
            if (choice := getattr(self, name)) not in (None, "fail", "warn", "pass"):
                raise ConfigurationError(
                    f'gate "{self.task_id}": {name} must be fail, warn or pass, found "{shortened(choice)}"'
                )
        content = None if self.policy is None else self._policy_file().read_if_here()
        policy = None if content is None else self._read_policy(content)
        checks = policy.checks if policy else self.checks
        require_extras(checks, gate=self.task_id)
        if has_no_store(self.store):
            require_store(checks, gate=self.task_id, baseline=self.baseline)

    def judge(self, context: Context) -> tuple[Verdict, Record]:
        """Judge, and write the verdict to the log, XCom, the report, the store and the outlets' asset events.

        :return: the verdict, and the places where writing it failed
        """
        from airflow_provider_benchmarks.gates.run import run_gate
        from airflow_provider_benchmarks.operators._service_source import ServiceSource

        check_report(self.report, gate=self.task_id)
        policy, store = self._policy(context), score_store(self.store)
        if store is None:
            require_store(policy.checks, gate=self.task_id, baseline=self.baseline)
        with ServiceSource(self.task_id, self.hook, store, policy.checks, self.job_name, self.baseline) as source:
            verdict = run_gate(
                policy.checks,
                source,
                if_inconclusive=self.if_inconclusive or policy.if_inconclusive,
                if_no_baseline=self.if_no_baseline or policy.if_no_baseline,
            )
        verdict = replace(verdict, workspace=source.workspace)
        self._verdict = verdict
        self.log.info('Gate on benchmark job "%s": %s\n%s', self.job_name, verdict.summary, verdict.to_table())
        return verdict, self._write(verdict, source, context)

    def _write(self, verdict: Verdict, source: ServiceSource, context: Context) -> Record:
        data, ti, record = verdict.to_dict(), context["ti"], Record()
        record.write("XCom", lambda: ti.xcom_push(key=VERDICT_KEY, value=self._xcom_of(verdict)))
        if (report := self.report) is not None:
            record.write(f"the report {report}", lambda: store_report(verdict, report))
        if source.store is not None:
            mapped = ti.map_index is not None and ti.map_index >= 0
            gate = f"{ti.dag_id}.{self.task_id}{f'[{ti.map_index}]' if mapped else ''}"
            record.write(f"the score store {source.store.root}", lambda: source.store_verdict(gate, data))
        known: dict[str, Any] = {
            "job_name": verdict.job or self.job_name,
            "workspace": verdict.workspace,
            "benchmark": verdict.benchmark,
            "aggregate": source.aggregate,
        }
        outcome = {"outcome": data["outcome"], "verdict": verdict.summary}
        record.write("asset events", lambda: add_outlet_extra(self, context, **known, more=outcome))
        return record

    def _xcom_of(self, verdict: Verdict) -> dict[str, Any]:
        store = score_store(self.store)
        places = ["the task's log", *([f"the report {self.report}"] if self.report else [])]
        return xcom_of(verdict, whole=", ".join([*places, *([f"the score store {store.root}"] if store else [])]))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Report to OpenLineage the scores that were judged and the outcome of each check, of a missed gate too."""
        from airflow_provider_benchmarks.operators._lineage import lineage_of

        if self._verdict is None or "/" in self.job_name:  # a stored job's scores have no name on a service
            return None
        return lineage_of(self._verdict, base_url=self.hook.config.base_url, workspace=self.hook.workspace)

    def _policy(self, context: Context) -> Policy:
        from airflow_provider_benchmarks.gates import Policy

        policy = Policy(checks=tuple(self.checks)) if self.checks else self._read_policy(self._policy_file().read())
        require_extras(policy.checks, gate=self.task_id)
        return replace(policy, checks=render_checks(policy.checks, self, context))

    def _read_policy(self, content: bytes) -> Policy:
        from airflow_provider_benchmarks.gates import read_policy

        return read_policy(content, name=str(self.policy))

    def _policy_file(self) -> ReviewedFile:
        dag_file = self.dag.fileloc if self.has_dag() else None
        return ReviewedFile(f'gate "{self.task_id}"', "policy", self.policy, dag_file)


def _path(value: Any) -> Any:
    """A path as text; a template, or the output of a task, as it is."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return str(value) if isinstance(value, PurePath | ObjectStoragePath) else value


class BenchmarkGateOperator(_GateOperator):
    """Let a DAG go on only if a job's scores pass every check.

    :param job_name: name of the finished job; or the folder of a stored one, such as the ``path`` that
        :class:`~airflow_provider_benchmarks.operators.results.StoreResultsOperator` returns, for which no connection
        to a service is needed (templated)
    :param checks: :class:`~airflow_provider_benchmarks.gates.Threshold`,
        :class:`~airflow_provider_benchmarks.gates.NoRegression` and
        :class:`~airflow_provider_benchmarks.gates.WithinHistory` objects, or the same as plain dicts (templates in
        their texts are rendered)
    :param policy: path of a policy file in place of ``checks``, in object storage or on disk; a relative one is
        searched beside the DAG file, and in the folders above it up to the DAGs folder or the root of the bundle
        (templated)
    :param baseline: what comparisons compare with: ``pinned`` (the default), ``last_passed`` or ``previous`` from the
        score store, the name of a job, or the folder of a stored one (templated)
    :param store: score store with baselines and history, which keeps the job and the verdict; defaults to
        ``[benchmarks] score_store``, and an empty text means none (templated)
    :param report: where to write the verdict, as a page: ``….md``, ``….html`` or ``….json`` (templated)
    :param if_inconclusive: ``fail``, ``warn`` or ``pass``; None: the policy's, else ``fail`` for ``prove`` and ``warn``
        for the rest
    :param if_no_baseline: the same for comparisons while the score store has no baseline; None: the policy's, else
        ``warn``. Without a score store, a comparison with its baseline is an error
    :param aliases: other names of metrics for jobs whose submitter has not kept the names, by those that results have:
        ``{"exact-match": "workspace/exact-match"}`` (templated)
    :param on_failure: what a miss does: ``fail`` the task, ``skip`` it and what follows, or ``continue``
    :param conn_id: connection to the evaluation service (templated)
    :param workspace: workspace of the job; defaults to the connection's (templated)
    :return: the verdict as a dict, which is pushed under the key ``verdict`` as well, whatever the outcome
    :raises GateFailed: a check missed (an AirflowFailException: no retry)
    :raises GateInconclusive: the scores can't decide (an AirflowFailException: no retry)
    :raises JobError: the job, or the one that is its baseline, has not completed; that is no miss, and is retried
    :raises ServiceError: the scores can't be fetched; that is no miss either
    :raises ConfigurationError: an argument is wrong, or a package or a score store that the checks need is missing
    """

    def __init__(
        self,
        *,
        job_name: str,
        checks: Sequence[Check | Mapping[str, Any]] | None = None,
        policy: str | None = None,
        baseline: str | None = None,
        store: str | None = None,
        report: str | None = None,
        if_inconclusive: str | None = None,
        if_no_baseline: str | None = None,
        aliases: Mapping[str, str] | None = None,
        on_failure: str = "fail",
        conn_id: str = DEFAULT_CONN_ID,
        workspace: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_name=job_name,
            checks=checks,
            policy=policy,
            baseline=baseline,
            store=store,
            report=report,
            if_inconclusive=if_inconclusive,
            if_no_baseline=if_no_baseline,
            aliases=aliases,
            conn_id=conn_id,
            workspace=workspace,
            **kwargs,
        )
        if on_failure not in _ON_FAILURE:
            raise ConfigurationError(
                f'gate "{self.task_id}": on_failure must be one of {", ".join(_ON_FAILURE)}, '
                f'found "{shortened(on_failure)}"'
            )
        self.on_failure = on_failure

    def execute(self, context: Context) -> dict[str, Any]:
        verdict, record = self.judge(context)
        if verdict.passed or self.on_failure == "continue":
            record.raise_first()
            return self._xcom_of(verdict)
        # A miss stands, even where it could not be written: it is not retried.
        message = (
            f'gate "{self.task_id}" on benchmark job "{self.job_name}" in workspace "{verdict.workspace}": '
            f"{verdict.summary}\n{verdict.to_table()}{record}"
        )
        if self.on_failure == "skip":
            raise AirflowSkipException(message)
        raise GateInconclusive(message) if verdict.outcome == "inconclusive" else GateFailed(message)


class BenchmarkGateBranchOperator(_GateOperator, BranchMixIn):
    """Choose the tasks that follow by a job's scores; a miss fails no task here.

    :param job_name: name of the finished job; or the folder of a stored one, such as the ``path`` that
        :class:`~airflow_provider_benchmarks.operators.results.StoreResultsOperator` returns, for which no connection
        to a service is needed (templated)
    :param checks: :class:`~airflow_provider_benchmarks.gates.Threshold`,
        :class:`~airflow_provider_benchmarks.gates.NoRegression` and
        :class:`~airflow_provider_benchmarks.gates.WithinHistory` objects, or the same as plain dicts (templates in
        their texts are rendered)
    :param policy: path of a policy file in place of ``checks``, in object storage or on disk; a relative one is
        searched beside the DAG file, and in the folders above it up to the DAGs folder or the root of the bundle
        (templated)
    :param baseline: what comparisons compare with: ``pinned`` (the default), ``last_passed`` or ``previous`` from the
        score store, the name of a job, or the folder of a stored one (templated)
    :param store: score store with baselines and history, which keeps the job and the verdict; defaults to
        ``[benchmarks] score_store``, and an empty text means none (templated)
    :param report: where to write the verdict, as a page: ``….md``, ``….html`` or ``….json`` (templated)
    :param if_inconclusive: ``fail``, ``warn`` or ``pass``; None: the policy's, else ``fail`` for ``prove`` and ``warn``
        for the rest
    :param if_no_baseline: the same for comparisons while the score store has no baseline; None: the policy's, else
        ``warn``. Without a score store, a comparison with its baseline is an error
    :param aliases: other names of metrics for jobs whose submitter has not kept the names, by those that results have:
        ``{"exact-match": "workspace/exact-match"}`` (templated)
    :param follow_if_passed: task id or ids, or task group ids, that follow a pass
    :param follow_if_failed: those that follow a miss, or an inconclusive verdict
    :param conn_id: connection to the evaluation service (templated)
    :param workspace: workspace of the job; defaults to the connection's (templated)
    :return: the tasks that follow; the verdict is the XCom ``verdict``
    :raises JobError: the job, or the one that is its baseline, has not completed
    :raises ServiceError: the scores can't be fetched
    :raises ConfigurationError: an argument is wrong, or a package or a score store that the checks need is missing
    """

    inherits_from_skipmixin = True

    def __init__(
        self,
        *,
        job_name: str,
        checks: Sequence[Check | Mapping[str, Any]] | None = None,
        policy: str | None = None,
        baseline: str | None = None,
        store: str | None = None,
        report: str | None = None,
        if_inconclusive: str | None = None,
        if_no_baseline: str | None = None,
        aliases: Mapping[str, str] | None = None,
        follow_if_passed: str | Iterable[str],
        follow_if_failed: str | Iterable[str],
        conn_id: str = DEFAULT_CONN_ID,
        workspace: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_name=job_name,
            checks=checks,
            policy=policy,
            baseline=baseline,
            store=store,
            report=report,
            if_inconclusive=if_inconclusive,
            if_no_baseline=if_no_baseline,
            aliases=aliases,
            conn_id=conn_id,
            workspace=workspace,
            **kwargs,
        )
        self.follow_if_passed = follow_if_passed
        self.follow_if_failed = follow_if_failed

    def execute(self, context: Context) -> Any:
        verdict, record = self.judge(context)
        record.raise_first()
        return self.do_branch(context, self.follow_if_passed if verdict.passed else self.follow_if_failed)


class PinBaselineOperator(BenchmarkOperator):
    """Make a completed job the pinned baseline of its benchmark, which later gates compare with.

    :param job_name: name of the job, or the folder of one that is in the store (templated)
    :param store: score store; defaults to ``[benchmarks] score_store`` (templated)
    :param conn_id: connection to the evaluation service (templated)
    :param workspace: workspace of the job; defaults to the connection's (templated)
    :return: the job's name
    :raises ConfigurationError: there is no score store
    :raises NotStored: there is no such folder, or its job is in another store
    :raises JobError: the job has not completed
    """

    template_fields: Sequence[str] = ("job_name", "store", *BenchmarkOperator.template_fields)

    def __init__(
        self,
        *,
        job_name: str,
        store: str | None = None,
        conn_id: str = DEFAULT_CONN_ID,
        workspace: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, workspace=workspace, **kwargs)
        self.job_name = job_name
        self.store = store

    def execute(self, context: Context) -> str:
        store = score_store(self.store)
        if store is None:
            raise ConfigurationError(
                f'task "{self.task_id}" needs a score store: set store=, or [benchmarks] score_store'
            )
        stored = self._stored(store)
        missed = [f"{gate} ({outcome})" for gate, outcome in store.outcomes(stored).items() if outcome != "pass"]
        if missed:
            self.log.warning(
                'Benchmark job "%s" becomes the baseline, though it did not pass %s', stored.job, ", ".join(missed)
            )
        try:
            before = store.pinned(workspace=stored.workspace, benchmark=stored.benchmark)
            name = before.job if before else "none"
        except NotStored as error:  # to pin another job repairs that
            name = str(error)
        store.pin(stored, by=f"{context['ti'].dag_id}.{self.task_id} {context['ti'].run_id}")
        self.log.info(
            'Benchmark job "%s" is the baseline of %s now; before: %s',
            stored.job,
            stored.benchmark,
            name,
        )
        return stored.job

    def _stored(self, store: ScoreStore) -> StoredJob:
        if "/" not in self.job_name:
            return self.hook.store_job(store, self.job_name)
        from airflow_provider_benchmarks.store import read_stored_job

        job = read_stored_job(self.job_name)
        return store.get(job.job, workspace=job.workspace, benchmark=job.benchmark)
