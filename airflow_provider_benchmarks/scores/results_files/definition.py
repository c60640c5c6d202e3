"""What a task of another evaluator measures, as far as its files say so: the content of a benchmark.

As of a benchmark that is code, its hash is kept with a job, and scores of two versions are not compared silently. How
the model is called is no part of it, nor is the evaluator's release.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_benchmarks.scores.json_values import json_safe, json_text, parse_json

#: Manifests of a score store are read for each job of a history.
_MAX_CHARACTERS = 4000
#: Where in memory Python had an object, in its description; another one in each run.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def definition(task: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a benchmark; what is null is left out, and of long values there is a hash.

    :param task: what all scores depend on
    :param metrics: by the names of the metrics, what their scores depend on
    """
    return {"task": _kept(task), "metrics": _kept(metrics)}


def _kept(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _value(value) for key, value in values.items() if value is not None}


def _value(value: Any) -> Any:
    text = _ADDRESS.sub("", json_text(json_safe(value)))
    if len(text) > _MAX_CHARACTERS:
        return f"{len(text)} characters, sha256 {hashlib.sha256(text.encode()).hexdigest()}"
    return parse_json(text)
