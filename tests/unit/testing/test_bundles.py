from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_benchmarks.testing._jobs.bundles import computed_outputs, digest, metric_bundle, metric_keys

OUTPUTS = json.loads((Path(__file__).parents[2] / "recorded" / "metric-outputs.json").read_text())
JUDGE = {
    "type": "llm-judge",
    "scores": [
        {"name": "quality", "description": "q", "rubric": [{"label": "good", "value": 1}]},
        {"name": "range", "minimum": 0, "maximum": 5},
    ],
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_outputs_are_those_that_the_real_service_demands(kind):
    assert computed_outputs(JUDGE if kind == "llm-judge" else {"type": kind}) == OUTPUTS[kind]


def test_an_unknown_type_has_no_known_outputs():
    assert computed_outputs({"type": "mine"}) is None
    with pytest.raises(ValueError, match='outputs of metrics of type "mine" are not known'):
        metric_bundle({"type": "mine"})


def test_the_digest_is_the_real_services():
    metric = {"type": "exact-match", "reference": "{{item.reference}}", "candidate": "{{item.output}}"}
    assert digest(metric) == "bc74506a72daa4bc1b2febb71b52bb0e0d70fb49ec1fe1dafde42406acfb76fa"


@pytest.mark.parametrize(
    ("types", "keys"),
    [
        (["exact-match", "f1"], ["exact-match", "f1"]),
        (["exact-match", "f1", "exact-match", "exact-match"], ["exact-match", "f1", "exact-match_2", "exact-match_3"]),
    ],
)
def test_a_metric_is_named_by_its_type(types, keys):
    assert metric_keys(types) == keys
