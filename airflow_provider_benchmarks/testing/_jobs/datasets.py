"""Loads the rows of a dataset from its fileset."""

from __future__ import annotations

import contextlib
import json
from fnmatch import fnmatchcase
from typing import Any

from airflow_provider_benchmarks.testing._jobs.column_types import unify_column_types
from airflow_provider_benchmarks.testing._state.fileset import Fileset


class DatasetError(Exception):
    """The dataset has no rows that can be read.

    :param pattern: pattern of the files to read; None: all
    """

    def __init__(self, pattern: str | None) -> None:
        super().__init__(pattern)
        self.pattern = pattern


def load_dataset(fileset: Fileset | None, reference: str) -> list[dict[str, Any]]:
    """Read the rows of ``workspace/fileset`` or ``workspace/fileset#pattern``: JSON Lines, or JSON arrays.

    Files are read in the order of their names. On the service the order is not defined.

    :raises DatasetError: there are no rows
    """
    pattern = reference.partition("#")[2]
    items: list[dict[str, Any]] = []
    for path, stored in sorted(fileset.files.items()) if fileset else ():
        if (not pattern or fnmatchcase(path, pattern)) and path.lower().endswith((".json", ".jsonl")):
            with contextlib.suppress(ValueError):  # the service skips files that it can't read
                items += _read_rows(stored.read())
    if not items:
        raise DatasetError(pattern or None)
    return items


def _read_rows(content: bytes) -> list[dict[str, Any]]:
    text = content.decode("utf-8").strip()
    if text.startswith("["):
        found = json.loads(text)
    else:
        found = [json.loads(line) for line in text.split("\n") if line.strip()]
    return unify_column_types([row for row in found if isinstance(row, dict)])
