"""What the downloads of scores have in common: where to, and from which job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import did_you_mean, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError, NotFound
from airflow_provider_benchmarks.job_xcom import name_map_index
from airflow_provider_benchmarks.jobs import JobStatus
from airflow_provider_benchmarks.links import BenchmarkJobLink, StoredScoresLink, link_job, link_path
from airflow_provider_benchmarks.operators._arguments import (
    STORE,
    TEXT,
    WRITTEN,
    Rule,
    checked_aliases,
    is_known,
    path_text,
)
from airflow_provider_benchmarks.operators._asset_extra import add_outlet_extra
from airflow_provider_benchmarks.operators._base import BenchmarkOperator, score_store
from airflow_provider_benchmarks.operators._metrics import send_scores

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.jobs import BenchmarkJob
    from airflow_provider_benchmarks.scores import AggregateScores
    from airflow_provider_benchmarks.store import Place, RowOptions, StoredFile, StoredJob


class DownloadOperator(BenchmarkOperator):
    """Base of the downloads: the arguments that both have."""

    template_fields: Sequence[str] = (
        "job_name",
        "destination",
        "storage_conn_id",
        "store",
        "aliases",
        *BenchmarkOperator.template_fields,
    )
    formats: tuple[str, ...] = ()
    operator_extra_links = (BenchmarkJobLink(), StoredScoresLink())
    takes_job = True
    argument_rules: Mapping[str, Rule] = {
        **BenchmarkOperator.argument_rules,
        "destination": WRITTEN.or_none(),
        "storage_conn_id": TEXT.or_none(),
        "if_exists": TEXT,
        "store": STORE.or_none(),
    }

    def __init__(
        self,
        *,
        job_name: str,
        destination: str | None,
        format: str,
        storage_conn_id: str | None,
        if_exists: str,
        store: str | None,
        aliases: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if format not in self.formats:
            raise ConfigurationError(
                f'task "{self.task_id}": unknown format "{shortened(format)}"; known: {", ".join(self.formats)}'
                f"{did_you_mean(format, self.formats)}"
            )
        self.job_name = job_name
        # An ObjectStoragePath brings its connection along; any other path is a text, in which templates are rendered.
        self.destination = str(destination) if isinstance(destination, PurePath) else destination
        self.format = format
        self.storage_conn_id = storage_conn_id
        self.if_exists = if_exists
        self.store = path_text(store)
        self.aliases = checked_aliases(aliases, task=self.task_id)

    def _check_options(self) -> None:
        """Refuse what can't be done when the DAG is parsed already.

        :raises ConfigurationError: names the task and the argument
        """
        try:
            self._options()
        except ConfigurationError as error:
            raise ConfigurationError(f'task "{self.task_id}": {error}') from error

    def _options(self) -> RowOptions:
        """What is to be stored where; the arguments may be templates still.

        :raises ConfigurationError: it can't be done
        """
        from airflow_provider_benchmarks.store import RowOptions, refuse_other_ending

        place = self._place()
        if place is not None:
            refuse_other_ending(place, self.format)
        return RowOptions(place=place, if_exists=self.if_exists)

    def _place(self) -> Place | None:
        from airflow_provider_benchmarks.store import Place

        if self.destination is None:
            return None
        known = [value if is_known(value) else str(value) for value in (self.destination, self.storage_conn_id)]
        return Place.of(*known)

    def _refuse_unused(self, **given: bool) -> None:
        """Refuse options of the file where none is written.

        :param given: by their names, whether they are other than their defaults
        :raises ConfigurationError: names them, and says what the task returns instead
        """
        if self.store:  # a store names its own connection, and keeps what it has
            given |= {"if_exists": self.if_exists != "replace", "storage_conn_id": self.storage_conn_id is not None}
        names = [f"{name}=" for name, is_given in given.items() if is_given]
        if self.destination is None and names:
            instead = "the score store keeps the whole job as it is" if self.store else "the rows themselves go to XCom"
            raise ConfigurationError(
                f'task "{self.task_id}": {", ".join(names)} would be ignored, as there is no destination and '
                f"{instead}. Give a destination= for the file, or leave {'it' if len(names) == 1 else 'them'} out."
            )

    def _store_job(self) -> StoredJob | None:
        """Put the job into the score store, where there is one, which has jobs also that the service has purged.

        :raises JobError: it has not completed
        """
        store = score_store(self.store)
        if store is None:
            return None
        if (place := self._place()) is not None:
            store.refuse_own_file(place)
        return self.hook.store_job(store, self.job_name)

    def _get_job(self) -> BenchmarkJob:
        """Fetch the job's status before its results: it may complete between the two."""
        job = self.hook.get_job(self.job_name)
        if job.status != JobStatus.COMPLETED:
            advice = "" if job.is_finished else " Wait for it first."
            self.log.warning('%s is "%s": its scores may not be of all rows.%s', job, job.status, advice)
        return job

    @contextmanager
    def _naming_status(self, job: BenchmarkJob | StoredJob) -> Iterator[None]:
        """Say of results that are not there what is known of their job."""
        try:
            yield
        except NotFound as error:
            status = getattr(job, "status", JobStatus.COMPLETED)
            if status == JobStatus.COMPLETED:
                raise
            raise error.reworded(f'{error} The status of {job} is "{status}".') from error.__cause__

    def _note(
        self,
        job: BenchmarkJob | StoredJob,
        aggregate: AggregateScores | None,
        *,
        file: StoredFile | None,
        rows: int | None,
    ) -> None:
        from airflow_provider_benchmarks.jobs import BenchmarkJob

        store = score_store(self.store)
        if store is None or isinstance(job, BenchmarkJob):
            self.lineage.reads_scores(self.job_name, workspace=job.workspace, rows=rows, scores=aggregate)
        else:
            self.lineage.reads_job(store, job, rows=rows, scores=aggregate)
            if not job.is_purged:
                self.lineage.writes_job(store, job)
        if file is not None and self.destination is not None:
            self.lineage.writes_file(file, files=None if getattr(self, "partition_by", ()) else 1)

    def _link(self, context: Context, job: BenchmarkJob | StoredJob) -> None:
        from airflow_provider_benchmarks.jobs import BenchmarkJob

        store = score_store(self.store)
        folder = None if store is None or isinstance(job, BenchmarkJob) else store.job_folder(job)
        link_path(StoredScoresLink(), context, folder, None if self.destination is None else str(self.destination))
        link_job(context, self.hook, self.job_name, benchmark=job.benchmark)

    def _begin(self) -> None:
        """What each try begins with.

        :raises ConfigurationError: an argument is wrong
        """
        lineage = self.begin_lineage()
        self.check_rendered_arguments()
        lineage.reads_scores(self.job_name)

    def _tell(
        self,
        context: Context,
        job: BenchmarkJob | StoredJob,
        aggregate: AggregateScores | None,
        *,
        file: StoredFile | None = None,
        rows: int | None = None,
    ) -> None:
        """Describe the download to lineage and metrics, in links, and in the events of the task's outlets.

        :param file: that has the scores now; None for none
        :param rows: number of row scores; None where they are not read, or in the file
        """
        rows = rows if file is None else file.rows
        self._note(job, aggregate, file=file, rows=rows)
        send_scores(context, aggregate, workspace=job.workspace, benchmark=job.benchmark)
        known = {"rows": rows, "path": None if file is None else file.path}
        more = {name: value for name, value in known.items() if value is not None}
        name_map_index(context, job=self.job_name, benchmark=job.benchmark)
        self._link(context, job)
        add_outlet_extra(self, context, job_name=self.job_name, benchmark=job.benchmark, aggregate=aggregate, more=more)
