"""Whose an answer is: that of another job, from a mixed-up cache or gateway, must not pass for the one requested."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.jobs import BenchmarkJob

#: How the platform's own ids of jobs begin. Lists of results have these as ``job``, logs have the job's name.
_ID = "platform-job-"
#: What the platform puts before a job's name, for the name of the fileset with its results.
_FILESET = "job-fileset-"
#: A fileset, and a part of a path in one. A dot segment would lead to another path.
_NAME = re.compile(r"(?!\.{1,2}$)[\w.@+=~-]+", re.ASCII)
_PART = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f\x7f\ud800-\udfff]+")


def require_job(found: BenchmarkJob, *, name: str, workspace: str) -> BenchmarkJob:
    """Return the job if it is the one requested.

    :raises ValueError: it has another name, or is of another workspace
    """
    if (found.name, found.workspace) != (name, workspace):
        of = "" if found.workspace == workspace else f' of workspace "{one_line(shortened(found.workspace))}"'
        raise ValueError(f'expected benchmark job "{name}", found "{one_line(shortened(found.name))}"{of}')
    return found


def require_entries_of(job: str, payload: Any) -> None:
    """Refuse a list of results, or a page of a log, with an entry that says that it is another job's.

    :raises ValueError: it has one; names that job
    """
    entries = payload.get("data") if isinstance(payload, Mapping) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            require_owner(job, entry.get("job"))
            require_owner(job, _owner_in(entry.get("download_url")))


def require_owner(job: str, found: Any) -> None:
    """Refuse the name of another job; an id, or what is no name, says nothing.

    :raises ValueError: it is one
    """
    if isinstance(found, str) and found and found != job and not found.startswith(_ID):
        other = one_line(shortened(found))
        raise ValueError(f'expected what belongs to benchmark job "{job}", found what belongs to "{other}"')


def stored_file_path(artifact_url: str, *, job: str, workspace: str) -> str | None:
    """Path of a result's file in the files service; None where the URL names none, or one of another job.

    :param artifact_url: ``workspace/fileset#path``
    """
    place, _, path = artifact_url.partition("#")
    owner, _, fileset = place.partition("/")
    is_sound = bool(_NAME.fullmatch(fileset)) and all(_PART.fullmatch(part) for part in path.split("/"))
    is_another = fileset.startswith(_FILESET) and fileset != f"{_FILESET}{job}"
    if owner != workspace or is_another or not is_sound:
        return None
    return f"/apis/files/v2/workspaces/{quote(owner, safe='')}/filesets/{quote(fileset, safe='')}/-/{quote(path)}"


def _owner_in(url: Any) -> str | None:
    """The job in the address of a result, ``…/<job>/results/<result>/download``; None in any other address."""
    try:
        parts = urlsplit(url).path.split("/") if isinstance(url, str) else []
    except ValueError:
        return None
    is_result = len(parts) >= 4 and (parts[-3], parts[-1]) == ("results", "download")
    return unquote(parts[-4]) if is_result else None
