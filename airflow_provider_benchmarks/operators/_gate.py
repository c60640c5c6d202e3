"""What all gates do: read their arguments, judge, and write the verdict to every place that is to have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.hooks.connection import retry_seconds
from airflow_provider_benchmarks.job_xcom import name_map_index
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.links import (
    BaselineLink,
    BenchmarkJobLink,
    ReportLink,
    StoredScoresLink,
    has_job_pages,
    link_baseline,
    link_job,
    link_path,
)
from airflow_provider_benchmarks.operators._arguments import (
    BASELINE,
    FILE,
    STORE,
    WRITTEN,
    Rule,
    checked_aliases,
    has_template,
    path_text,
    require_job_name,
)
from airflow_provider_benchmarks.operators._asset_extra import add_outlet_extra
from airflow_provider_benchmarks.operators._base import BenchmarkOperator, score_store
from airflow_provider_benchmarks.operators._gate_arguments import (
    has_no_store,
    read_checks,
    render_checks,
    require_extras,
    require_store,
)
from airflow_provider_benchmarks.operators._gate_record import Record, check_report, is_html, store_report, xcom_of
from airflow_provider_benchmarks.operators._lineage import Kind
from airflow_provider_benchmarks.operators._metrics import send_scores
from airflow_provider_benchmarks.operators._report_context import report_context
from airflow_provider_benchmarks.operators._reviewed_file import ReviewedFile
from airflow_provider_benchmarks.storable import storable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.gates import Check, Policy, Verdict
    from airflow_provider_benchmarks.gates.report_context import ReportContext
    from airflow_provider_benchmarks.operators._service_source import ServiceSource
    from airflow_provider_benchmarks.store import ScoreStore

#: The XCom key of a verdict. It is pushed before the task fails or skips: then Airflow pushes no return value.
VERDICT_KEY = "verdict"
#: What stands in these fields until the task runs.
_POLICY_TEXT, _RENDERED_CHECKS = "(read when the task runs)", "(rendered when the task runs)"


class GateOperator(BenchmarkOperator):
    """Judge a job's scores, and write the verdict to every place that is to have it. The subclasses document it."""

    template_fields: Sequence[str] = (
        "job_name",
        "policy",
        "baseline",
        "store",
        "report",
        "aliases",
        *BenchmarkOperator.template_fields,
        # What the page of rendered templates shows of the policy and the checks.
        "policy_text",
        "rendered_checks",
    )

    template_fields_renderers = {"policy_text": "yaml", "rendered_checks": "json", "aliases": "json"}  # noqa: RUF012
    operator_extra_links = (BenchmarkJobLink(), ReportLink(), StoredScoresLink(), BaselineLink())
    takes_job = True
    kind_of_task = "gate"
    argument_rules: Mapping[str, Rule] = {
        **BenchmarkOperator.argument_rules,
        "policy": FILE.or_none(),
        "baseline": BASELINE,
        "store": STORE.or_none(),
        "report": WRITTEN.or_none(),
    }

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
        self.policy = path_text(policy)
        self.policy_text = None if policy is None else _POLICY_TEXT
        self.rendered_checks = _RENDERED_CHECKS
        self.baseline = path_text(baseline)
        self.store = path_text(store)
        self.report = path_text(report)
        self.if_inconclusive = if_inconclusive
        self.if_no_baseline = if_no_baseline
        self.aliases = checked_aliases(aliases, task=self.task_id)
        self._policy_read: tuple[str, bytes] | None = None
        self.check_known_arguments()
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

    def render_template(self, content: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Render also what only this package can: the policy's text, and the checks."""
        try:
            if content is _POLICY_TEXT:
                return storable(self._read_file().decode("utf-8", "replace"))
            if content is _RENDERED_CHECKS:
                return storable([check.to_dict() for check in self._policy(context).checks])
        except Exception as error:  # noqa: BLE001  the task raises it where Airflow knows whether to retry
            self.log.debug("Not shown among the rendered templates: %s", error)
            return content
        return super().render_template(content, context, *args, **kwargs)

    def judge(self, context: Context) -> tuple[Verdict, Record]:
        """Judge, and write the verdict to the log, XCom, the report, the store and the outlets' asset events.

        :return: the verdict, and the places where writing it failed
        """
        from airflow_provider_benchmarks.gates.run import run_gate
        from airflow_provider_benchmarks.operators._service_source import ServiceSource
        from airflow_provider_benchmarks.views import VerdictView, log_records

        lineage = self.begin_lineage()
        self.check_rendered_arguments()
        lineage.reads_scores(self.job_name)
        if self.baseline:
            require_job_name(self.baseline, task=self, argument="baseline", given=self.given_argument("baseline"))
        check_report(self.report, gate=self.task_id)
        policy, store = self._policy(context), score_store(self.store)
        if has_job_pages() and "/" not in self.job_name:
            link_job(context, self.hook, self.job_name)
        if store is None:
            require_store(policy.checks, gate=self.task_id, baseline=self.baseline)
        in_full = is_html(self.report)
        source = ServiceSource(
            self.task_id, self.hook, store, policy.checks, self.job_name, self.baseline, in_full=in_full
        )
        with source:
            verdict = run_gate(
                policy.checks,
                source,
                in_full=in_full,
                if_inconclusive=self.if_inconclusive or policy.if_inconclusive,
                if_no_baseline=self.if_no_baseline or policy.if_no_baseline,
            )
        verdict = replace(verdict, workspace=source.workspace)
        self._note(source, verdict)
        send_scores(context, source.aggregate, workspace=verdict.workspace, benchmark=verdict.benchmark)
        for record in log_records(VerdictView.of(verdict)):
            self.log.log(record.level, "%s", record.text)
        return verdict, self._write(verdict, source, context)

    def _write(self, verdict: Verdict, source: ServiceSource, context: Context) -> Record:
        data, ti, record = verdict.to_dict(), context["ti"], Record(retry_seconds())
        mapped = ti.map_index is not None and ti.map_index >= 0
        name = f"{self.task_id}{f'[{ti.map_index}]' if mapped else ''}"
        gate = f"{ti.dag_id}.{name}"
        record.write("XCom", lambda: ti.xcom_push(key=VERDICT_KEY, value=self._xcom_of(verdict)))
        if (report := self.report) is not None:
            found = partial(report_context, source, task=name, ti=ti, policy=self.policy)
            record.write(f"the report {report}", lambda: self._store_report(verdict, report, gate, context, found))
        if (store := source.store) is not None:
            record.write(f"the score store {store.root}", lambda: self._store(source, store, gate, data, context))
        elif "/" in self.job_name:
            link_path(StoredScoresLink(), context, self.job_name)
        name_map_index(context, job=verdict.job or self.job_name, benchmark=verdict.benchmark)
        if "/" not in self.job_name and not has_job_pages():
            link_job(context, self.hook, self.job_name, benchmark=verdict.benchmark)
        folder, job = (
            next((name for name in source.compared_with if ("/" in name) == is_folder), None)
            for is_folder in (True, False)
        )
        link_baseline(context, self.hook, folder=folder, job=job)
        known: dict[str, Any] = {
            "job_name": verdict.job or self.job_name,
            "workspace": verdict.workspace,
            "benchmark": verdict.benchmark,
            "aggregate": source.aggregate,
        }
        outcome = {"outcome": data["outcome"], "verdict": verdict.summary}
        record.write("asset events", lambda: add_outlet_extra(self, context, **known, more=outcome))
        return record

    def _store(
        self, source: ServiceSource, store: ScoreStore, gate: str, verdict: dict[str, Any], context: Context
    ) -> None:
        stored = source.store_verdict(store, gate, verdict)
        self.lineage.writes_job(store, stored)
        folder = store.job_folder(stored)
        link_path(StoredScoresLink(), context, folder)
        self.log.info("Stored scores: %s", folder)

    def _store_report(
        self, verdict: Verdict, report: str, gate: str, context: Context, found: Callable[[], ReportContext]
    ) -> None:
        self.lineage.writes_file(store_report(verdict, report, gate=gate, context=found))
        link_path(ReportLink(), context, report)

    def _xcom_of(self, verdict: Verdict) -> dict[str, Any]:
        store = score_store(self.store)
        # Pages for people are cut to what they can read.
        is_whole = self.report is not None and not self.report.endswith((".md", ".html"))
        places = ["the task's log", *([f"the report {self.report}"] if is_whole else [])]
        return xcom_of(verdict, whole=", ".join([*places, *([f"the score store {store.root}"] if store else [])]))

    def _note(self, source: ServiceSource, verdict: Verdict) -> None:
        """Note which scores were judged, what each check found, and what was compared with."""
        for name, scores in source.compared_with.items():
            kind = Kind.STORED if "/" in name else Kind.SCORES
            self.lineage.reads(kind, name, workspace=verdict.workspace, scores=scores)
        known = {"rows": source.rows_read, "scores": source.aggregate, "verdict": verdict}
        if source.store is None or isinstance(source.job, BenchmarkJob) or "/" in self.job_name:
            self.lineage.reads_scores(self.job_name, workspace=verdict.workspace, **known)
        else:
            self.lineage.reads_job(source.store, source.job, **known)

    def _policy(self, context: Context) -> Policy:
        from airflow_provider_benchmarks.gates import Policy

        policy = Policy(checks=tuple(self.checks)) if self.checks else self._read_policy(self._read_file())
        require_extras(policy.checks, gate=self.task_id)
        return replace(policy, checks=render_checks(policy.checks, self, context))

    def _read_file(self) -> bytes:
        """Read the policy file, once."""
        if self._policy_read is None or self._policy_read[0] != self.policy:
            self._policy_read = str(self.policy), self._policy_file().read()
        return self._policy_read[1]

    def _read_policy(self, content: bytes) -> Policy:
        from airflow_provider_benchmarks.gates import read_policy

        return read_policy(content, name=str(self.policy))

    def _policy_file(self) -> ReviewedFile:
        dag_file = self.dag.fileloc if self.has_dag() else None
        return ReviewedFile(f'gate "{self.task_id}"', "policy", self.policy, dag_file)
