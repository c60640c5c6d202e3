"""Put the results of other evaluators into the score store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_benchmarks.brief import brief, did_you_mean, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.links import StoredScoresLink, link_path
from airflow_provider_benchmarks.operators._arguments import (
    PATH,
    STORE,
    TEXT,
    CheckedArguments,
    Rule,
    has_template,
    path_text,
)
from airflow_provider_benchmarks.operators._base import check_xcom_size, score_store
from airflow_provider_benchmarks.operators._final_errors import fails_for_good
from airflow_provider_benchmarks.operators._lineage import Kind, ReportsLineage
from airflow_provider_benchmarks.operators._metrics import send_scores
from airflow_provider_benchmarks.scores.results_files import AUTO, EVALUATORS
from airflow_provider_benchmarks.storable import storable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.store import StoredJob

FORMATS = (AUTO, *EVALUATORS)


class StoreResultsOperator(ReportsLineage, CheckedArguments, BaseOperator):
    """Put a run of another evaluator into the score store, where gates, history and pages find it.

    Of lm-evaluation-harness, inspect_ai, NVIDIA's nel and lighteval. Each benchmark of the run becomes a job of its
    own, named by the model, the day and a hash of what was read: the same results are the same job, so that a retry
    stores nothing twice. The aggregate scores are computed from the rows. A call of the model that failed is a row
    without a score, also where the evaluator counts it as 0. lm-evaluation-harness and lighteval take an empty answer
    where a server has none; nothing tells it from the model's own, and it keeps its score. What defines the task, such
    as its version, its prompts and the number of examples, is kept: a gate does not compare two versions of it. The
    model's outputs are not stored. It takes no connection.

    :param path: the evaluator's file of results, or a folder with those of one run of each benchmark; a local path or a
        URL for Airflow's ObjectStoragePath, of which ``s3://connection@bucket/folder`` names its connection (templated)
    :param store: score store; defaults to ``[benchmarks] score_store`` (templated)
    :param benchmark: reference ``workspace/name`` to store a single benchmark as; ``evaluator/task`` when None. The job
        is in this workspace of the store (templated)
    :param task_name: the evaluator's name of the benchmark to store, where there are several; None for all
        (templated)
    :param format: the evaluator: ``lm-eval``, ``inspect_ai``, ``nel`` or ``lighteval``; ``auto`` finds out (templated)
    :return: for each benchmark ``{"job", "workspace", "benchmark", "path", "rows"}``, with the path of the job's folder
    :raises ConfigurationError: there is no store, there are no results, or those of several runs, or an extra is
        missing
    :raises IncompleteResults: the results are damaged, cut short, or of a run that did not end well
    """

    template_fields: Sequence[str] = ("path", "store", "benchmark", "task_name", "format")
    argument_rules: Mapping[str, Rule] = {
        "path": PATH,
        "store": STORE.or_none(),
        "benchmark": TEXT.or_none(),
        "task_name": Rule("a text", lambda value: value == "" or TEXT.accepts(value)).or_none(),
        "format": TEXT,
    }
    operator_extra_links = (StoredScoresLink(),)
    ui_color = "#e3f2d3"

    def __init__(
        self,
        *,
        path: str,
        store: str | None = None,
        benchmark: str | None = None,
        task_name: str | None = None,
        format: str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(format, str) and not has_template(format) and format not in FORMATS:
            raise ConfigurationError(
                f'task "{self.task_id}": unknown format "{shortened(format)}" of results; known: {", ".join(FORMATS)}'
                f"{did_you_mean(format, FORMATS)}"
            )
        if not path or not str(path).strip():
            raise ConfigurationError(f'task "{self.task_id}": path= names no results, found {brief(path)}')
        self.path = path_text(path)
        self.store = path_text(store)
        self.benchmark = benchmark
        self.task_name = task_name
        self.format = format
        self.check_known_arguments()

    @fails_for_good
    def execute(self, context: Context) -> list[dict[str, Any]]:
        from airflow_provider_benchmarks.store import store_results

        lineage = self.begin_lineage()
        self.check_rendered_arguments()
        lineage.reads(Kind.STORED, self.path)
        store = score_store(self.store)
        if store is None:
            raise ConfigurationError(
                f'task "{self.task_id}" has no score store: set store=, or [benchmarks] score_store for all tasks'
            )
        stored = store_results(
            self.path, store, benchmark=self.benchmark, format=self.format, task=self.task_name or None
        )
        for job in stored:
            lineage.writes_job(store, job)
            send_scores(context, job.aggregate, workspace=job.workspace, benchmark=job.benchmark)
        found: list[dict[str, Any]] = storable([_describe(job, store.job_folder(job)) for job in stored])
        # Of several there is one link: to the store.
        link_path(StoredScoresLink(), context, found[0]["path"] if len(found) == 1 else store.root)
        for each in found:
            self.log.info("Stored %(rows)s rows of benchmark %(benchmark)s in %(path)s", each)
        if self.do_xcom_push:
            check_xcom_size(found, "The names of the stored jobs", advice="Store fewer benchmarks with task_name=.")
        return found


def _describe(job: StoredJob, folder: str) -> dict[str, Any]:
    rows = None if job.rows is None else job.rows.rows
    return {
        "job": job.job,
        "workspace": job.workspace,
        "benchmark": job.benchmark,
        "path": folder,
        "rows": rows,
    }
