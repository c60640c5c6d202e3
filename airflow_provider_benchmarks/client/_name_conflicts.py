"""Errors for a job name that is taken, or that the service refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_benchmarks.benchmarks import RecordedBenchmark, differences
from airflow_provider_benchmarks.client._requests import Request
from airflow_provider_benchmarks.exceptions import Conflict, NameUnusable
from airflow_provider_benchmarks.inert import indented
from airflow_provider_benchmarks.jobs import BenchmarkJob


def name_unusable(post: Request, conflict: Conflict) -> NameUnusable:
    """Make the error for a name that the service refuses, though no job has it."""
    said = indented(conflict.detail)
    error = NameUnusable(
        f'the service refuses the job name "{post.job}" in workspace "{post.workspace}" ("{said}"), yet no such job '
        f"exists",
        status_code=conflict.status_code,
        detail=conflict.detail,
        method=post.method,
        path=post.path,
        workspace=post.workspace,
        job=post.job,
    )
    why = "an earlier submit failed half-way. Use another name."
    if not error.is_about_name:
        why = (
            "either an earlier submit of that name failed half-way, or something else that the job refers to is in "
            "conflict. Use another name; if that is refused in the same words, mend what the spec refers to."
        )
    return error.reworded(f"{error}: {why}")


def taken_by_another(post: Request, found: BenchmarkJob) -> Conflict:
    """Make the error for a name whose job is of another run, or runs something else."""
    why = " and ".join(_differing(post.json, found)) or "it belongs to another run or spec"
    return _taken(
        post,
        f"is taken by a job that is not this one: {why} (created {found.created_at}, status {found.status}). Choose "
        f"another job name; it is never adopted.",
    )


def taken_by_another_kind(post: Request, found: BenchmarkJob) -> Conflict:
    """Make the error for a name whose job the service can't show as a benchmark job."""
    return _taken(
        post,
        f"is taken by a job of another kind (status {found.status}), which the service can't show as a benchmark job. "
        f"Choose another job name.",
    )


def _differing(sent: Mapping[str, Any], found: BenchmarkJob) -> Iterator[str]:
    """What the job that was sent and the one that was found run differently, as far as that is certain."""
    spec = dict(sent["spec"])
    recorded = [RecordedBenchmark.from_custom_fields(each) for each in (sent["custom_fields"], found.custom_fields)]
    mine, theirs = ({"name": each.name, **each.content} if each else None for each in recorded)
    if mine and theirs:
        spec = {key: value for key, value in spec.items() if key not in ("benchmark", "metrics", "dataset")}
        if shown := differences(mine, theirs, other="there"):
            yield f"its benchmark differs ({shown})"
    if fields := sorted(key for key, value in spec.items() if not _holds(found.spec.get(key), value)):
        yield f"its spec differs in {', '.join(fields)}"


def _holds(found: Any, sent: Any) -> bool:
    """True if what the service has of a part of a spec can be what it was sent.

    It adds defaults, digests and empty fields, leaves out what is null, and puts a metric in the place of a reference.
    """
    if isinstance(sent, Mapping) and isinstance(found, Mapping):
        return all(_holds(found.get(key), value) for key, value in sent.items())
    if isinstance(sent, list) and isinstance(found, list):
        return len(sent) == len(found) and all(map(_holds, found, sent))
    return bool(sent == found) or (isinstance(sent, str) and isinstance(found, Mapping))


def _taken(post: Request, how: str) -> Conflict:
    return Conflict(
        f'the job name "{post.job}" in workspace "{post.workspace}" {how}',
        status_code=409,
        method=post.method,
        path=post.path,
        workspace=post.workspace,
        job=post.job,
    )
