from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest
import yaml

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoRegression, Threshold, policy_schema, read_policy

POLICY = """
if_no_baseline: fail
checks:
  - metric: exact-match
    at_least: 0.7
    where: {category: math}
  - type: no_regression
    metric: exact-match
    margin: 0.01
    mode: prove
"""


def test_yaml_and_json_are_the_same_policy():
    policy = read_policy(POLICY)
    assert policy.checks == (
        Threshold("exact-match", at_least=0.7, where={"category": "math"}),
        NoRegression("exact-match", margin=0.01, mode="prove"),
    )
    assert (policy.if_no_baseline, policy.if_inconclusive) == ("fail", None)
    assert read_policy(json.dumps(yaml.safe_load(POLICY))) == policy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.yaml: expected a mapping with the keys checks"),
        ("- 1", "p.yaml, line 1: expected a mapping"),
        ("checks: []", "p.yaml, line 1: expected a list of one or more checks"),
        ("if_no_baseline: warn", "expected a list of one or more checks"),
        ("cheks: 1\nchecks: [1]", 'line 1: unknown key "cheks"; known: checks, if_inconclusive, if_no_baseline'),
        ("checks:\n- 1", "line 2: expected a check with its fields, found 1"),
        (
            "checks:\n- metric: m\n  at_leest: 1",
            r"line 3: threshold .* has unknown fields \['at_leest'\]; known: metric, score",
        ),
        (
            "checks:\n- metric: m\n  at_least: 1\n- metric: n",
            'line 4: threshold on "n": give at_least, at_most, or both',
        ),
        (
            "checks:\n- type: no_regresion\n  metric: m",
            'line 2: unknown type of check "no_regresion"; known: threshold',
        ),
        ("checks:\n- type: no_regression\n  metric: m\n  mode: prov", 'line 4: .* mode must be "detect" or "prove"'),
        ("if_inconclusive: maybe\nchecks: [1]", "line 1: if_inconclusive must be fail, warn, pass, found 'maybe'"),
        ("checks: [", "p.yaml is not YAML: .*line 1"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_is_allowed(text, message):
    with pytest.raises(ConfigurationError, match=f"(?s){message}"):
        read_policy(text, name="p.yaml")


def test_the_published_schema_is_that_of_the_checks():
    published = files("airflow_provider_benchmarks.gates").joinpath("policy.schema.json").read_text()
    assert json.loads(published) == policy_schema()


def test_the_schema_takes_what_is_read_and_refuses_what_is_not():
    validator = jsonschema.Draft202012Validator(policy_schema())
    assert validator.is_valid(yaml.safe_load(POLICY))
    for wrong in ("checks: []", "checks:\n- metric: m\n  at_leest: 1", "if_inconclusive: maybe\nchecks:\n- metric: m"):
        assert not validator.is_valid(yaml.safe_load(wrong))
