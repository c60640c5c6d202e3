"""What the names of files say of a benchmark's jobs in a score store: when each was created, and what gates said of it.

A listing of names opens no file, so it takes the same few requests whatever the jobs hold.
"""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from airflow_provider_benchmarks.brief import brief_names
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.masking import safe_text
from airflow_provider_benchmarks.scores.json_values import fits_utf8
from airflow_provider_benchmarks.scores.stored_files import named_if_unreadable, storage_errors
from airflow_provider_benchmarks.store.folder_names import gate_name, is_folder_name
from airflow_provider_benchmarks.store.place import Place
from airflow_provider_benchmarks.store.stored_job import MANIFEST

logger = logging.getLogger(__name__)

#: How times are written in names: in their order as texts.
TIME = "%Y%m%dT%H%M%S.%fZ"
_IS_TIME = re.compile(r"[0-9]{5,8}T[0-9]{6}\.[0-9]{6}Z")
#: The folders of the names, in that of a benchmark.
INDEX, VERDICTS = "_index", "_verdicts"


def names_of_jobs(folder: str, before: datetime | None = None, *, since: datetime | None = None) -> list[str]:
    """Names of a benchmark's jobs, newest first; one listing.

    :param before: only jobs that were created before this
    :param since: only jobs that were created then or after it
    """
    start, end = (None if time is None else time.astimezone(UTC).strftime(TIME) for time in (since, before))
    names = (
        unquote(name)
        for time, name in _entries(f"{folder}/{INDEX}", 2)
        if (end is None or time < end) and (start is None or time >= start)
    )
    # A job whose service does not say when it was submitted is there once more for each interrupted task.
    return list(dict.fromkeys(names))


def outcomes_of_gates(folder: str) -> dict[str, dict[str, str]]:
    """The last outcome of each gate, by job; one listing."""
    outcomes: dict[str, dict[str, str]] = {}
    for entry in _entries(f"{folder}/{VERDICTS}", 4):
        _, job, gate, outcome = map(unquote, entry)
        outcomes.setdefault(job, {}).setdefault(gate_name(gate), outcome)
    return outcomes


def time_of_verdict(folder: str, job: str, gate: str) -> str:
    """The time for the name of a new verdict: now, or after the gate's last one on the job; one listing.

    Clocks of workers differ, and the last verdict is the one with the latest time.

    :param gate: as of :func:`gate_name`
    """
    now = datetime.now(UTC)
    try:
        entries = _entries(f"{folder}/{VERDICTS}", 4)
    except (IncompleteResults, PermissionError):
        entries = []  # one may write where one can't list; the write says what else is wrong
    for time, *entry in entries:
        judged, judge, _ = map(unquote, entry)
        if (judged, gate_name(judge)) == (job, gate):
            try:
                now = max(now, datetime.strptime(time, TIME).replace(tzinfo=UTC) + timedelta(microseconds=1))
            except (ValueError, OverflowError):  # nobody's clock says so
                logger.warning("Left out of %s the time of a verdict, %s: remove that file", folder, time)
                continue
            break
    return now.strftime(TIME)


def complete_jobs(folder: str) -> set[str]:
    """Names of the jobs that have a manifest; lists all files of the benchmark, a thousand a request."""
    path = Place(folder).object_path
    end = f"/{MANIFEST}"
    with storage_errors(folder):
        found = path.fs.find(path.path)
    return {unquote(file.removesuffix(end).rpartition("/")[2]) for file in found if file.endswith(end)}


def _entries(folder: str, parts: int) -> list[list[str]]:
    """The parts of each name in a folder of the store's own, last first; other names are left out, with a warning.

    :raises IncompleteResults: there is a file in place of the folder, or the local disk does not let it be read
    """
    place = Place(folder)
    if place.is_local and os.path.isfile(place.path):
        raise IncompleteResults(f"{folder} can't be read (it is a file, and should be a folder). Remove it.")
    entries: list[list[str]] = []
    others: list[str] = []
    for name in sorted(names_in(folder), reverse=True):
        entry = name.split(",")
        # Foreign names need not be UTF-8, nor lead to a folder of the store.
        if len(entry) == parts and _IS_TIME.fullmatch(entry[0]) and is_folder_name(entry[1]) and _are_texts(entry[2:]):
            entries.append(entry)
        else:
            others.append(name)
    if others:
        logger.warning(
            "Left out of %s what is no entry of a score store: %s",
            folder,
            brief_names(map(safe_text, reversed(others))),
        )
    return entries


def _are_texts(parts: list[str]) -> bool:
    return all(part and fits_utf8(part) for part in parts)


def names_in(folder: str) -> Iterator[str]:
    """Names in a folder, without opening anything.

    :raises ConfigurationError: there is no such bucket
    :raises IncompleteResults: the local disk does not let it be read, or a file is in place of a folder on its path
    """
    place = Place(folder)
    path = place.object_path
    try:
        with storage_errors(folder), named_if_unreadable(folder):
            entries = path.fs.ls(path.path, detail=False)
    except FileNotFoundError:
        place.require_bucket()
        return
    except NotADirectoryError as error:
        raise IncompleteResults(
            f"{folder} can't be read (a file is where one of its folders should be). Remove it."
        ) from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # no folder of this disk can be called so
            raise
        return
    for entry in entries:
        # A part of a file that is being written, on a local disk, begins with a dot.
        if (name := entry.rstrip("/").rpartition("/")[2]) and not name.startswith("."):
            yield name
