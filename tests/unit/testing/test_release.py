from __future__ import annotations

import pytest

from airflow_provider_benchmarks.testing import EvaluationService
from airflow_provider_benchmarks.testing._release import Release


@pytest.mark.parametrize(
    ("text", "version", "prefix"),
    [
        ("0.1", "dev", "evaluation"),
        ("0.1.2", "dev", "evaluation"),
        ("0.2", "0.2.0", "evaluator"),
        ("0.7", "0.7.3", "evaluator"),
        ("0.8", "0.8.1", "evals"),
        ("0.8.0", "0.8.0", "evals"),
        ("0.11.2", "0.11.2", "evals"),
    ],
)
def test_a_release_by_its_number(text, version, prefix):
    release = Release.parse(text)
    assert (release.version, release.prefix) == (version, prefix)


@pytest.mark.parametrize("text", ["", "0", "0.0", "8", "1.0", "0.8.1.2", "0.x", "v0.8", "25.4", "0.1234"])
def test_what_is_no_release(text):
    with pytest.raises(ValueError, match=f'"{text}" is not a release of the service'):
        EvaluationService(release=text)
