"""Gates: let a DAG go on only if the scores hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, BranchMixIn

from airflow_provider_benchmarks import exceptions
from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.job_xcom import name_map_index
from airflow_provider_benchmarks.links import BenchmarkJobLink, StoredScoresLink, link_job, link_path
from airflow_provider_benchmarks.operators._arguments import (
    STORE,
    TEXTS,
    Rule,
    check_argument,
    owner_of,
    path_text,
    refuse_task,
)
from airflow_provider_benchmarks.operators._base import DEFAULT_CONN_ID, BenchmarkOperator, score_store
from airflow_provider_benchmarks.operators._final_errors import fails_for_good
from airflow_provider_benchmarks.operators._gate import GateOperator
from airflow_provider_benchmarks.operators._metrics import send_verdict
from airflow_provider_benchmarks.storable import storable_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.gates import Check
    from airflow_provider_benchmarks.store import ScoreStore, StoredJob

_ON_FAILURE = ("fail", "skip", "continue")


class GateFailed(exceptions.GateFailed, AirflowFailException):
    """A gate was missed: the task fails without a retry, since a gate that is retried until it passes is none."""


class GateInconclusive(exceptions.GateInconclusive, AirflowFailException):
    """A gate is inconclusive: the task fails without a retry."""


class BaselineRefused(exceptions.IncompleteResults, AirflowFailException):
    """A job can't be a baseline: the task fails without a retry, as its stored results never change."""


class BenchmarkGateOperator(GateOperator):
    """Let a DAG go on only if a job's scores pass every check.

    :param job_name: name of the finished job; or the folder of a stored one, such as the ``path`` that
        :class:`~airflow_provider_benchmarks.operators.results.StoreResultsOperator` returns, for which no connection
        to a service is needed (templated)
    :param checks: :class:`~airflow_provider_benchmarks.gates.Threshold`,
        :class:`~airflow_provider_benchmarks.gates.NoRegression`,
        :class:`~airflow_provider_benchmarks.gates.WithinHistory` and
        :class:`~airflow_provider_benchmarks.gates.NoDrift` objects, or the same as plain dicts (templates in their
        texts are rendered)
    :param policy: path of a policy file in place of ``checks``, in object storage or on disk; a relative one is
        searched beside the DAG file, and in the folders above it up to the DAGs folder or the root of the bundle
        (templated)
    :param baseline: what comparisons compare with: ``pinned`` (the default), ``last_passed`` or ``previous`` from the
        score store, the name of a job, or the folder of a stored one (templated)
    :param store: score store with baselines and history, which keeps the job and the verdict; defaults to
        ``[benchmarks] score_store``, and an empty text means none (templated)
    :param report: where to write the verdict: ``….md`` (fits a comment on a pull request), ``….html``, ``….json`` or
        ``….xml`` (JUnit; each check is a test case) (templated)
    :param if_inconclusive: ``fail``, ``warn`` or ``pass``; None: the policy's, else ``fail`` for ``prove`` and for
        what a baseline lacks or has lost, and ``warn`` for the rest
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

    @fails_for_good
    def execute(self, context: Context) -> dict[str, Any]:
        from airflow_provider_benchmarks.views import VerdictView, failing_lines

        verdict, record = self.judge(context)
        if verdict.passed or self.on_failure == "continue":
            record.raise_first()
            send_verdict(context, verdict)
            return self._xcom_of(verdict)
        # A miss stands, even where it could not be written: it is not retried.
        send_verdict(context, verdict)
        message = (
            f'gate "{self.task_id}" on benchmark job "{self.job_name}" in workspace "{verdict.workspace}": '
            f"{verdict.summary}\n{failing_lines(VerdictView.of(verdict))}{record}"
        )
        if self.on_failure == "skip":
            raise AirflowSkipException(storable_text(message))
        raise GateInconclusive(message) if verdict.outcome == "inconclusive" else GateFailed(message)


class BenchmarkGateBranchOperator(GateOperator, BranchMixIn):
    """Choose the tasks that follow by a job's scores; a miss fails no task here.

    :param job_name: name of the finished job; or the folder of a stored one, such as the ``path`` that
        :class:`~airflow_provider_benchmarks.operators.results.StoreResultsOperator` returns, for which no connection
        to a service is needed (templated)
    :param checks: :class:`~airflow_provider_benchmarks.gates.Threshold`,
        :class:`~airflow_provider_benchmarks.gates.NoRegression`,
        :class:`~airflow_provider_benchmarks.gates.WithinHistory` and
        :class:`~airflow_provider_benchmarks.gates.NoDrift` objects, or the same as plain dicts (templates in their
        texts are rendered)
    :param policy: path of a policy file in place of ``checks``, in object storage or on disk; a relative one is
        searched beside the DAG file, and in the folders above it up to the DAGs folder or the root of the bundle
        (templated)
    :param baseline: what comparisons compare with: ``pinned`` (the default), ``last_passed`` or ``previous`` from the
        score store, the name of a job, or the folder of a stored one (templated)
    :param store: score store with baselines and history, which keeps the job and the verdict; defaults to
        ``[benchmarks] score_store``, and an empty text means none (templated)
    :param report: where to write the verdict: ``….md`` (fits a comment on a pull request), ``….html``, ``….json`` or
        ``….xml`` (JUnit; each check is a test case) (templated)
    :param if_inconclusive: ``fail``, ``warn`` or ``pass``; None: the policy's, else ``fail`` for ``prove`` and for
        what a baseline lacks or has lost, and ``warn`` for the rest
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
        for name in ("follow_if_passed", "follow_if_failed"):
            refuse_task(getattr(self, name), owner_of(self), name)
            check_argument(self, name, getattr(self, name), TEXTS)

    @fails_for_good
    def execute(self, context: Context) -> Any:
        verdict, record = self.judge(context)
        record.raise_first()
        send_verdict(context, verdict)
        return self.do_branch(context, self.follow_if_passed if verdict.passed else self.follow_if_failed)


class PinBaselineOperator(BenchmarkOperator):
    """Make a completed job the pinned baseline of its benchmark, which later gates compare with.

    A job that can serve in part only, such as one without row scores or with rows without a value, is pinned with a
    warning for each thing that it lacks.

    :param job_name: name of the job, or the folder of one that is in the store (templated)
    :param store: score store; defaults to ``[benchmarks] score_store`` (templated)
    :param conn_id: connection to the evaluation service (templated)
    :param workspace: workspace of the job; defaults to the connection's (templated)
    :return: the job's name
    :raises ConfigurationError: there is no score store
    :raises NotStored: there is no such folder, or its job is in another store
    :raises JobError: the job has not completed
    :raises BaselineRefused: no check could compare with it: no score has a value, the evaluation has failed, or rows
        are missing (an AirflowFailException: no retry)
    """

    template_fields: Sequence[str] = ("job_name", "store", *BenchmarkOperator.template_fields)
    takes_job = True
    argument_rules: Mapping[str, Rule] = {
        **BenchmarkOperator.argument_rules,
        "store": STORE.or_none(),
    }
    operator_extra_links = (BenchmarkJobLink(), StoredScoresLink())

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
        self.store = path_text(store)
        self.check_known_arguments()

    @fails_for_good
    def execute(self, context: Context) -> str:
        lineage = self.begin_lineage()
        self.check_rendered_arguments()
        lineage.reads_scores(self.job_name)
        store = score_store(self.store)
        if store is None:
            raise ConfigurationError(
                f'task "{self.task_id}" needs a score store: set store=, or [benchmarks] score_store'
            )
        stored = self._stored(store)
        rows = None if stored.rows is None else stored.rows.rows
        if "/" in self.job_name:
            lineage.reads_scores(self.job_name, rows=rows, scores=stored.aggregate)
        else:
            lineage.reads_job(store, stored, rows=rows, scores=stored.aggregate)
            if not stored.is_purged:
                lineage.writes_job(store, stored)
        name_map_index(context, job=stored.job, benchmark=stored.benchmark)
        link_path(StoredScoresLink(), context, store.job_folder(stored))
        if "/" not in self.job_name:
            link_job(context, self.hook, stored.job, benchmark=stored.benchmark)
        problems = self._shortcomings(stored)
        missed = [f"{gate} ({outcome})" for gate, outcome in store.outcomes(stored).items() if outcome != "pass"]
        if missed:
            self.log.warning(
                'Benchmark job "%s" becomes the baseline, though it did not pass %s', stored.job, ", ".join(missed)
            )
        for problem in problems:
            self.log.warning(
                'Benchmark job "%s" becomes the baseline, and can serve in part only: %s', stored.job, problem
            )
        before = _pinned_before(store, stored)
        pin = store.pin(stored, by=f"{context['ti'].dag_id}.{self.task_id} {context['ti'].run_id}")
        lineage.writes_file(pin)
        self.log.info(
            'Benchmark job "%s" is the baseline of %s now; before: %s',
            stored.job,
            stored.benchmark,
            before,
        )
        return storable_text(stored.job)

    def _stored(self, store: ScoreStore) -> StoredJob:
        if "/" not in self.job_name:
            return self.hook.store_job(store, self.job_name)
        from airflow_provider_benchmarks.store import read_stored_job

        job = read_stored_job(self.job_name)
        return store.get(job.job, workspace=job.workspace, benchmark=job.benchmark)

    def _shortcomings(self, stored: StoredJob) -> list[str]:
        """What the job can't serve for as a baseline.

        :raises BaselineRefused: it can't serve at all
        """
        from airflow_provider_benchmarks.store.fitness import fitness

        reason, problems = fitness(stored)
        if reason is None:
            return problems
        raise BaselineRefused(
            f'task "{self.task_id}": benchmark job "{stored.job}" of benchmark "{stored.benchmark}" in workspace '
            f'"{stored.workspace}" can\'t be a baseline: {reason}. The pinned baseline stays as it is. Run the job '
            f"again under another name, and pin that one, or pin an earlier job."
        )


def _pinned_before(store: ScoreStore, stored: StoredJob) -> str:
    """The job that is the baseline of the same benchmark until now, for the log."""
    from airflow_provider_benchmarks.store.pins import PinnedJobGone

    try:
        before = store.pinned(workspace=stored.workspace, benchmark=stored.benchmark)
    except exceptions.NewerFormat:
        raise
    except PinnedJobGone as error:
        return f"{error.job}, which is not in the score store any more"
    except exceptions.IncompleteResults as error:  # to pin another job repairs that
        return str(error)
    return before.job if before else "none"
