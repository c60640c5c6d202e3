"""A name for the benchmark of a job whose submitter has named none, made of what its spec measures.

``my-workspace/qa~exact-match~string-check~1a2b3c4d``: the dataset, the keys that results have for the metrics, and a
hash of both with the metrics' definitions. Jobs of one spec have one name, so that they have a history and baselines of
their own in a score store; parameters such as ``parallelism`` do not matter. No service takes a ``~`` in a name, so
that it is never that of a stored benchmark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from airflow_provider_benchmarks.benchmarks.benchmark import hash_of

_MARK = "~"
_HASH_CHARACTERS = 8
#: Of what is before the hash.
_MAX_CHARACTERS = 80


def derived_name(workspace: str, *, dataset: Any, keys: Iterable[str], metrics: Any) -> str:
    """Make the name.

    :param workspace: the job's
    :param dataset: of the spec: a reference, or the rows themselves
    :param keys: of the metrics in results
    :param metrics: what defines them, as JSON
    """
    number = hash_of([dataset, metrics])[:_HASH_CHARACTERS]
    named = dataset.removeprefix(f"{workspace}/") if isinstance(dataset, str) and dataset else "rows"
    parts = (re.sub(r"[^A-Za-z0-9._-]+", "-", part) for part in (named, *keys))
    return f"{workspace}/{_MARK.join(parts)[:_MAX_CHARACTERS]}{_MARK}{number}"


def is_derived(benchmark: str) -> bool:
    """True for a name that was made so, rather than given."""
    return _MARK in benchmark
