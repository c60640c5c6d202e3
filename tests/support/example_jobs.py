"""Benchmarks that show what scores can look like: several scores a metric, NaN rows, a failure."""

from __future__ import annotations

from airflow_provider_benchmarks.testing import EXAMPLE_WORKSPACE, Seeder

_COMPARED = {"reference": "{{item.reference}}", "candidate": "{{item.output}}"}
_METRICS = {
    "rouge": {"type": "rouge", **_COMPARED},
    "f1": {"type": "f1", **_COMPARED},
    "bleu": {"type": "bleu", "references": ["{{item.reference}}"], "candidate": "{{item.output}}"},
    "exact-match-lower": {
        "type": "exact-match",
        "reference": "{{item.reference | lower}}",
        "candidate": "{{item.output | lower}}",
    },
    # Most of the example's outputs are words, so most of its rows have no value: NaN.
    "number": {
        "type": "number-check",
        "operation": "equals",
        "left_template": "{{item.output}}",
        "right_template": "{{item.reference}}",
    },
    "bad-template": {"type": "exact-match", "reference": "{{item.nope}}", "candidate": "{{item.output}}"},
}
_BENCHMARKS = {
    "multi": ("rouge", "f1", "bleu", "exact-match", "exact-match-lower"),
    "with-nans": ("number", "exact-match"),
    "failing": ("bad-template",),
}


def seed_benchmarks(seeder: Seeder) -> dict[str, str]:
    """Create them next to the question-answer example; return their references by a short name."""
    references = {"example": seeder.question_answer_example()}
    for name, body in _METRICS.items():
        seeder.metric(EXAMPLE_WORKSPACE, name, body)
    for name, metrics in _BENCHMARKS.items():
        metric_references = [f"{EXAMPLE_WORKSPACE}/{metric}" for metric in metrics]
        references[name] = seeder.benchmark(
            EXAMPLE_WORKSPACE, name, metrics=metric_references, dataset=f"{EXAMPLE_WORKSPACE}/qa"
        )
    return references
