"""Gates: let a DAG go on only if the scores hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, BranchMixIn

from airflow_provider_benchmarks import exceptions
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.operators._asset_extra import tell_outlets
from airflow_provider_benchmarks.operators._base import BenchmarkOperator, score_store

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_benchmarks.gates import Check, Policy, Verdict

_ON_FAILURE = ("fail", "skip", "continue")
_REPORTS = (".md", ".html", ".json")
#: The XCom of a verdict. It is pushed before the task fails or skips, when a return value no longer would be.
VERDICT_KEY = "verdict"


class GateFailed(exceptions.GateFailed, AirflowFailException):
    """A gate was missed: the task fails without a retry, since trying again until it passes is no gate."""


class GateInconclusive(exceptions.GateInconclusive, AirflowFailException):
    """A gate can't tell: the task fails without a retry."""


class _GateOperator(BenchmarkOperator):
    """Judge a job's scores, and write the verdict everywhere it is wanted.

    :param job_name: name of the finished job (templated)
    :param checks: :class:`~airflow_provider_benchmarks.gates.Threshold`,
        :class:`~airflow_provider_benchmarks.gates.NoRegression` and
        :class:`~airflow_provider_benchmarks.gates.WithinHistory` objects, or the same as plain dicts
    :param policy: path of a policy file in place of ``checks``, in object storage or on disk; a relative one is looked
        up beside the DAG file (templated)
    :param baseline: what comparisons compare with: ``pinned`` (the default), ``last_passed`` or ``previous`` from the
        score store, the name of a job, or the folder of a stored one (templated)
    :param store: score store with baselines and history, which keeps the job and the verdict; defaults to
        ``[benchmarks] score_store``, and an empty text means none (templated)
    :param report: where to write the verdict as a page: ``….md``, ``….html`` or ``….json`` (templated)
    :param if_inconclusive: ``fail``, ``warn`` or ``pass``; None: the policy's, else ``fail`` for ``prove`` and ``warn``
        for the rest
    :param if_no_baseline: the same for comparisons while there is no baseline; None: the policy's, else ``warn``
    """

    template_fields: Sequence[str] = (
        "job_name",
        "policy",
        "baseline",
        "store",
        "report",
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
        **kwargs: Any,
    ) -> None:
        from airflow_provider_benchmarks.gates import check_from_dict

        super().__init__(**kwargs)
        if policy is None and not checks:
            raise ConfigurationError(f'gate "{self.task_id}" has no checks: it would let everything through')
        if policy is not None and checks:
            raise ConfigurationError(f'gate "{self.task_id}": give checks or a policy file, not both')
        if report is not None and not report.endswith((*_REPORTS, "}}")):
            raise ConfigurationError(
                f'gate "{self.task_id}": the report must end in {", ".join(_REPORTS)}, found "{report}"'
            )
        for name, choice in (("if_inconclusive", if_inconclusive), ("if_no_baseline", if_no_baseline)):
            if choice not in (None, "fail", "warn", "pass"):
                raise ConfigurationError(f'gate "{self.task_id}": {name} must be fail, warn or pass, found "{choice}"')
        self.job_name = job_name
        self.checks = [check_from_dict(check) if isinstance(check, Mapping) else check for check in checks or ()]
        self.policy = policy
        self.baseline = baseline
        self.store = store
        self.report = report
        self.if_inconclusive = if_inconclusive
        self.if_no_baseline = if_no_baseline
        self._verdict: Verdict | None = None
        if policy is not None and (found := self._policy_file()) is not None:
            self._read_policy(found.read_bytes())  # a mistake in it is one of the DAG
        elif any(check.needs_statistics for check in self.checks):
            _require_statistics(self.task_id)

    def judge(self, context: Context) -> Verdict:
        """Judge, and write the verdict to the log, the report, the store, XCom and the outlets' asset events."""
        from airflow_provider_benchmarks.gates import evaluate
        from airflow_provider_benchmarks.operators._gate_scores import GateScores

        policy = self._policy()
        with GateScores(self.hook, score_store(self.store), policy.checks, self.job_name, self.baseline) as scores:
            candidate, baselines = scores.load()
            verdict = evaluate(
                policy.checks,
                candidate,
                baselines,
                history=scores.history(),
                if_inconclusive=self.if_inconclusive or policy.if_inconclusive,
                if_no_baseline=self.if_no_baseline or policy.if_no_baseline,
            )
            verdict = scores.with_items(verdict)
            stored = scores.stored_candidate()
        self.log.info('Gate on benchmark job "%s": %s\n%s', self.job_name, verdict.summary, verdict.to_table())
        data = verdict.to_dict()
        if stored is not None and scores.store is not None:
            scores.store.add_verdict(stored, f"{context['ti'].dag_id}.{self.task_id}", data)
        self._write_report(verdict)
        tell_outlets(self, context, job_name=self.job_name, outcome=data["outcome"], verdict=verdict.summary)
        context["ti"].xcom_push(key=VERDICT_KEY, value=data)
        self._verdict = verdict
        return verdict

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Tell OpenLineage what was judged, and what each check found; also where the gate was missed."""
        from airflow_provider_benchmarks.operators._lineage import lineage_of

        return lineage_of(self._verdict, base_url=self.hook.config.base_url, workspace=self.hook.workspace)

    def _policy(self) -> Policy:
        from airflow_provider_benchmarks.gates import Policy

        if self.policy is None:
            return Policy(checks=tuple(self.checks))
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        found = self._policy_file()
        try:
            content = found.read_bytes() if found else ObjectStoragePath(self.policy).read_bytes()
        except FileNotFoundError as error:
            raise ConfigurationError(
                f'gate "{self.task_id}": there is no policy file "{self.policy}", neither beside the DAG file nor as it '
                f"is written"
            ) from error
        return self._read_policy(content)

    def _read_policy(self, content: bytes) -> Policy:
        from airflow_provider_benchmarks.gates import read_policy

        policy = read_policy(content, name=str(self.policy))
        if any(check.needs_statistics for check in policy.checks):
            _require_statistics(self.task_id)
        return policy

    def _policy_file(self) -> Path | None:
        """The policy file where it is on this machine: beside the DAG file, or as it is written."""
        policy = str(self.policy)
        if "://" in policy:
            return None
        folders = [Path(self.dag.fileloc).parent] if self.has_dag() and self.dag.fileloc else []
        return next((folder / policy for folder in (*folders, Path()) if (folder / policy).is_file()), None)

    def _write_report(self, verdict: Verdict) -> None:
        if self.report is None:
            return
        from airflow_provider_benchmarks.store import store_bytes

        suffix = Path(self.report).suffix
        if suffix == ".json":
            text = json.dumps(verdict.to_dict(), indent=1)
        elif suffix in _REPORTS:
            text = verdict.to_html() if suffix == ".html" else verdict.to_markdown()
        else:
            raise ConfigurationError(
                f'gate "{self.task_id}": the report must end in {", ".join(_REPORTS)}, found "{self.report}"'
            )
        stored = store_bytes([text.encode()], self.report, format=suffix.lstrip("."))
        self.log.info("Report: %s", stored.path)


def _require_statistics(task_id: str) -> None:
    from importlib.util import find_spec

    if find_spec("scipy") is None:
        raise ConfigurationError(
            f'gate "{task_id}": confidence and comparisons need scipy: install airflow-provider-benchmarks[stats]'
        )


class BenchmarkGateOperator(_GateOperator):
    __doc__ = f"""Let a DAG go on only if a job's scores pass every check.
    {(_GateOperator.__doc__ or "").partition(".")[2]}
    :param on_failure: what a miss does: ``fail`` the task, ``skip`` it and what follows, or ``continue``
    :return: the verdict as a dict, which is pushed under the key ``verdict`` as well, whatever the outcome
    :raises GateFailed: a check missed (an AirflowFailException: no retry)
    :raises GateInconclusive: the scores can't tell (an AirflowFailException: no retry)
    :raises ServiceError: the scores can't be fetched; that is no miss, and is retried
    """

    def __init__(self, *, on_failure: str = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if on_failure not in _ON_FAILURE:
            raise ConfigurationError(
                f'gate "{self.task_id}": on_failure must be one of {", ".join(_ON_FAILURE)}, found "{on_failure}"'
            )
        self.on_failure = on_failure

    def execute(self, context: Context) -> dict[str, Any]:
        verdict = self.judge(context)
        if verdict.passed or self.on_failure == "continue":
            return verdict.to_dict()
        message = (
            f'gate "{self.task_id}" on benchmark job "{self.job_name}" in workspace "{self.hook.workspace}": '
            f"{verdict.summary}\n{verdict.to_table()}"
        )
        if self.on_failure == "skip":
            raise AirflowSkipException(message)
        raise GateInconclusive(message) if verdict.outcome == "inconclusive" else GateFailed(message)


class BenchmarkGateBranchOperator(_GateOperator, BranchMixIn):
    __doc__ = f"""Choose what follows by a job's scores; a miss fails no task here.
    {(_GateOperator.__doc__ or "").partition(".")[2]}
    :param follow_if_passed: task id or ids, or task group ids, that follow a pass
    :param follow_if_failed: those that follow a miss, or an inconclusive verdict
    :return: what follows; the verdict is the XCom ``verdict``
    """

    inherits_from_skipmixin = True

    def __init__(
        self, *, follow_if_passed: str | Iterable[str], follow_if_failed: str | Iterable[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.follow_if_passed = follow_if_passed
        self.follow_if_failed = follow_if_failed

    def execute(self, context: Context) -> Any:
        verdict = self.judge(context)
        return self.do_branch(context, self.follow_if_passed if verdict.passed else self.follow_if_failed)


class PinBaselineOperator(BenchmarkOperator):
    """Make a completed job the pinned baseline of its benchmark, which later gates compare with.

    :param job_name: name of the job (templated)
    :param store: score store; defaults to ``[benchmarks] score_store`` (templated)
    :return: the job's name
    """

    template_fields: Sequence[str] = ("job_name", "store", *BenchmarkOperator.template_fields)

    def __init__(self, *, job_name: str, store: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.store = store

    def execute(self, context: Context) -> str:
        store = score_store(self.store)
        if store is None:
            raise ConfigurationError(
                f'task "{self.task_id}" needs a score store: set store=, or [benchmarks] score_store'
            )
        stored = self.hook.store_job(store, self.job_name)
        before = store.pinned(workspace=stored.workspace, benchmark=stored.benchmark)
        store.pin(stored, by=f"{context['ti'].dag_id}.{self.task_id} {context['ti'].run_id}")
        self.log.info(
            'Benchmark job "%s" is the baseline of %s now; before: %s',
            stored.job,
            stored.benchmark,
            before.job if before else "none",
        )
        return stored.job
