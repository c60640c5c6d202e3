"""The pin of a benchmark in a score store: a small file that says which job is the baseline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults, NotStored
from airflow_provider_benchmarks.scores.manifests import VERSION, read_manifest, text_in
from airflow_provider_benchmarks.store.folder_names import folder_name
from airflow_provider_benchmarks.store.stored_file import read_if_there

PINNED = "_pinned.json"


class PinnedJobGone(NotStored):
    """A job is pinned, and is not in the score store any more.

    :param job: its name
    """

    def __init__(self, message: str, *, job: str = "") -> None:
        super().__init__(message)
        self.job = job


def pin_of(job: str, by: str) -> dict[str, Any]:
    """The content of a pin.

    :param by: who or what promotes the job, for people
    """
    return {"version": VERSION, "job": job, "pinned_at": datetime.now(UTC).isoformat(), "pinned_by": by}


def read_pin(path: str) -> str | None:
    """The name of the job that is pinned; None where none is.

    :raises IncompleteResults: the file can't be read, or no job can be called what it says; names it
    """
    found = read_pin_record(path)
    return None if found is None else str(found["job"])


def read_pin_record(path: str) -> dict[str, Any] | None:
    """What the file of a pin says: ``job``, ``pinned_at`` and ``pinned_by``; None where no job is pinned.

    :raises IncompleteResults: as of :func:`read_pin`
    """
    content = read_if_there(path)
    if content is None:
        return None
    try:
        found = read_manifest(path, content)
        folder_name(text_in(found, "job"), "benchmark job")
        return found
    except (ValueError, LookupError) as error:
        raise IncompleteResults(
            f"{path} can't be read ({type(error).__name__}: {shortened(error)}). Pin the job again with "
            f"PinBaselineOperator."
        ) from error
