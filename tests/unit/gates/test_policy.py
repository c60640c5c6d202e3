from __future__ import annotations

import dataclasses
import json
from importlib.resources import files

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoRegression, Threshold, policy_schema, read_policy
from airflow_provider_benchmarks.gates.check import KINDS
from airflow_provider_benchmarks.gates.schema import schema_text

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
        (
            "cheks: 1\nchecks: [1]",
            'line 1: unknown key "cheks". Did you mean "checks"',
        ),
        ("checks:\n- 1", "line 2: expected a check with its fields, found 1"),
        (
            "checks:\n- metric: m\n  at_leest: 1",
            'line 3: threshold on "m": unknown field "at_leest". Did you mean "at_least".{2}Known .*: metric, score',
        ),
        (
            "checks:\n- metric: m\n  at_least: 1\n- metric: n",
            'line 4: threshold on "n": give at_least, at_most, or both',
        ),
        (
            "checks:\n- type: no_regresion\n  metric: m",
            'line 2: unknown type of check "no_regresion". Did you mean "no_regression".{2}Known .*: threshold',
        ),
        ("checks:\n- type: no_regression\n  metric: m\n  mode: prov", 'line 4: .* mode must be "detect" or "prove"'),
        ("if_inconclusive: maybe\nchecks: [1]", "line 1: if_inconclusive must be fail, warn, pass, found 'maybe'"),
        ("checks: [", "p.yaml, line 1, is not YAML: .*expected the node content"),
        ("checks:\n- metric: m\n  type: [x]", "line 3: unknown type of check .*: threshold, no_regression"),
        ("checks:\n- metric: m\n  foo: 2\n  on: 1", 'line 3: .* unknown field "foo"\n.*line 4: .* unknown field "on"'),
        ("checks:\n- metric: m\n  type: no_regression\n  key: 3", "line 4: .* key must be a field, or a list"),
        ("if_no_baseline: warn\n1: 2\nchecks: [1]", "line 2: expected a name as key, found 1"),
        ("checks:\n- metric: m\n  [a]: 2", "line 3: expected a name as key, found a sequence"),
        ("checks:\n- metric: m\n  statistic: median\n  at_least: 1", "line 3: .* statistic must be one of mean, "),
        ("checks:\n- metric: m\n  at_least: 1\n  at_most: lots", "line 4: .* at_most must be a finite number, found"),
        ("checks:\n- metric: m\n  at_least: 1\n  at_most: 0", "line 3: .* at_least 1 is above at_most 0"),
        (
            "checks:\n- metric: m\n  at_least: 0.9\n  at_most: 0.8\n  confidence: 95",
            "2 mistakes\n.*line 5: .* between 0.5 and 1, found 95\n.*line 3: .* at_least 0.9 is above at_most 0.8",
        ),
        (
            "checks:\n- metric: m\n  at_least: 1\n  statistic: sum\n  confidence: 0.9\n  by: a\n  repeat_by: a",
            "2 mistakes\n.*line 6: .* by and repeat_by name the same field .*\n.*line 5: .* confidence goes with mean",
        ),
        ("checks:\n- metric: m\n  min: 0.8", 'line 3: .* unknown field "min". Did you mean "at_least"[?]'),
        ("checks:\n- metric: m\n  maximum: 0.8", 'line 3: .* unknown field "maximum". Did you mean "at_most"[?]'),
        ("checks:\n- metric: m\n  threshold: 1", 'line 3: .* "threshold". Did you mean "at_least" or "at_most"[?]'),
        (
            "checks:\n- metric: m\n  type: no_regression\n  max-drop: 1",
            'line 4: .* unknown field "max-drop". Did you mean "margin"[?]',
        ),
        (
            "checks:\n- metric: m\n  at_least: 1\n  if_no_baseline: fail",
            'line 4: .* unknown field "if_no_baseline": it is of the whole gate, beside checks in a policy',
        ),
        (
            "at_least: 1\ntype: threshold\nchecks:\n- metric: m",
            'line 1: .* "at_least": it is a field of a check, in the list under checks\n.*line 2: .* "type": it is a',
        ),
        (
            'checks:\n- metric: m\n  at_least: "{{ params.bar }}"',
            "line 3: .* must be a finite number, found .*: it is read before templates are rendered. .* policy=",
        ),
        (
            "checks:\n- metric: m\n  at_least: !!int x",
            "line 3: a policy holds texts, .*, found the tag int: leave it out",
        ),
        ("checks:\n- metric: m\n  at_least: ! 1", "line 3: a policy holds texts, .*, found the tag !"),
        (
            "checks:\n- metric: m\n  at_least: 1\n  where:\n    a: 1\n    length:\n      at_leest: 3",
            'line 7: .* where length: unknown key "at_leest". Did you mean "at_least".{2}Known .*: at_least, at_most',
        ),
        (
            "checks:\n- metric: m\n  at_least: 1\n  where: {x: !!set {a}}",
            "line 4: a policy holds texts, .*, found the tag set",
        ),
        ("checks: !!python/name:os.system", "line 1: a policy holds texts, .*, found .*python"),
        ("checks:\n- &base {metric: m}", "line 2: anchors and aliases .* are not taken: write each check in full"),
        ("checks:\n- metric: m\n  at_least: *bar", "line 3: anchors and aliases"),
        ("checks:\n- <<: {metric: m}\n  at_least: 1", 'line 2: .* unknown field "<<"'),
        ('checks: "\\UFFFFFFFF"', "p.yaml is not YAML: "),
        (
            "checks:\n- metric: m\n  at_least: " + "9" * 5000,
            "line 3: 9{40}… .5,000 characters. is too long for a number",
        ),
        ("checks: " + "[" * 5000, "p.yaml, line 1: nested too deeply"),
    ],
)
def test_a_mistake_is_reported_with_its_line_and_what_is_allowed(text, message):
    with pytest.raises(ConfigurationError, match=f"(?s){message}"):
        read_policy(text, name="p.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "checks:\n- metric: m\n  at_least: 0.9\n  at_least: 0.1",
            '"at_least" is there twice, in line 3 and in line 4',
        ),
        (
            "checks: [{metric: m, at_least: 1}]\nchecks:\n- metric: n",
            '"checks" is there twice, in line 1 and in line 2',
        ),
        (
            "checks:\n- {metric: m, at_least: 1,\n  where: {a: 1,\n  'a': 2}}",
            '"a" is there twice, in line 3 and in line 4',
        ),
        ('{"checks": [\n{"metric": "m",\n"at_least": 0.9,\n"at_least": 0.1}]}', '"at_least" .* line 3 and in line 4'),
        ('{"checks": [],\n "\\u0063hecks": []}', '"checks" is there twice, in line 1 and in line 2'),
    ],
)
def test_a_key_that_is_there_twice_is_reported_with_both_lines(text, message):
    with pytest.raises(ConfigurationError, match=f"p, line .*: {message}; keep one"):
        read_policy(text, name="p")


@pytest.mark.parametrize("indent", ["\t", 1, None])
def test_json_is_read_as_json(indent):
    where = {"a": "no", "b": '\t𝄞 \u2028 "\\', "c": [None, True, 1e-05, "2024-01-01"], "d": {"above": -1e22}}
    data = {"checks": [{"metric": "m", "at_least": 1e-05, "where": where}], "if_no_baseline": "pass"}
    text = json.dumps(data, indent=indent)
    assert read_policy(text, name="p.json").checks == (Threshold("m", at_least=1e-05, where=where),)
    assert read_policy(b"\xef\xbb\xbf" + text.encode(), name="p.json").if_no_baseline == "pass"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("checks: []", "p.json is not JSON: Expecting value: line 1"),
        ('{\n\t"checks": [\n\t\t{"metric": "m",}\n]}', "p.json is not JSON: .*line 3"),
        ('{\n\t"checks":\n\t[{"metric":\n\t"m", "at_least"\n:\n\t"high"}]}', "p.json, line 4: .* found 'high'"),
        ('{"checks": [{"metric": "m", "at_least": 1,\n"where": {"a": {}}}]}', "p.json, line 2: .* where a must be"),
        ('{"checks": [{"metric": "m",\n"at_least": NaN}]}', "p.json, line 2: .* must be a finite number, found nan"),
        (f'{{"checks": {"9" * 5000}}}', "p.json is not JSON: "),
        (b"\xff", "p.json is no text in UTF-8"),
    ],
)
def test_a_mistake_in_json_is_reported_with_its_line(text, message):
    with pytest.raises(ConfigurationError, match=message):
        read_policy(text, name="p.json")


@pytest.mark.parametrize(
    ("written", "read"),
    [("1e-3", 0.001), ("1E+2", 100.0), ("-.5", -0.5), ("+1.", 1.0), ("0", 0), ("-12", -12), ("true", True), ("~", None)]
    # Words of YAML 1.1 are texts, as datasets have them.
    + [(word, word) for word in ("no", "on", "y", "2024-01-01", "1:30", "010", "0x1f", "1_000", "1e", "e5", ".")],
)
def test_words_and_numbers_are_those_of_yaml_1_2(written, read):
    (check,) = read_policy(f"checks: [{{metric: m, at_least: 0, where: {{x: {written}}}}}]").checks
    assert (check.where["x"], type(check.where["x"])) == (read, type(read))


def test_the_published_schema_is_that_of_the_checks():
    published = files("airflow_provider_benchmarks.gates").joinpath("policy.schema.json").read_text(encoding="utf-8")
    assert json.loads(published) == policy_schema()
    assert published == schema_text(), "run python -m airflow_provider_benchmarks.gates.schema"
    jsonschema.Draft202012Validator.check_schema(policy_schema())


VALIDATOR = jsonschema.Draft202012Validator(policy_schema())


def is_read(policy):
    try:
        read_policy(json.dumps(policy), name="p.json")
    except ConfigurationError:
        return False
    return True


def floor(**fields):
    return {"checks": [{"metric": "m", "at_least": 0.5, **fields}]}


def comparison(**fields):
    return {"checks": [{"type": "no_regression", "metric": "m", **fields}]}


def drift(**fields):
    return {"checks": [{"type": "no_drift", "metric": "m", **fields}]}


def history(**fields):
    return {"checks": [{"type": "within_history", "metric": "m", **fields}]}


GOOD = [
    yaml.safe_load(POLICY),
    floor(),
    floor(type="threshold", score="s", at_least=None, at_most=3, by="category", min_count=5.0),
    floor(confidence=0.9, statistic="p95"),
    floor(confidence=0.9, statistic="share:good"),
    floor(confidence=None, statistic="max"),
    floor(confidence=0.9, cluster_by="document", score_range=[0, 1]),
    floor(cluster_by=None),
    floor(where={"a": 1, "b": [None, "x", True, 0.5], "c": {"at_least": 1, "below": 5}, "d": None}),
    comparison(),
    comparison(baseline="release-7", margin=0, relative=True, mode="prove", confidence=0.99, key="id", severity="warn"),
    comparison(key=["a", "b"], cluster_by="document", higher_is_better=False, max_unpaired=0.1, max_nan_fraction=1),
    comparison(repeat_by="seed", statistic="pass@10", key=["id", "seed"]),
    comparison(repeat_by="seed", statistic="mean", baseline_runs=10),
    comparison(repeat_by="seed", statistic="majority", baseline_runs=1),
    comparison(repeat_by=None, statistic="mean"),
    comparison(margin=5, relative=True, higher_is_better=False),
    comparison(margin=5, relative=True, score_range=[-8, 0]),
    comparison(margin=0.99, relative=True),
    comparison(margin=5, relative=False),
    floor(repeat_by="epoch", statistic="majority", confidence=0.9),
    floor(repeat_by="epoch", statistic="share:good"),
    history(),
    history(statistic="nan_fraction", window=5, spread=0.5, higher_is_better=None),
    drift(),
    drift(statistic="p50", reference=5, higher_is_better=None, severity="warn"),
    {**floor(), "if_inconclusive": "pass", "if_no_baseline": "fail"},
]
BAD = [
    [],
    {},
    {"checks": []},
    {"checks": {}},
    {"checks": [1]},
    {**floor(), "cheks": 1},
    {**floor(), "if_no_baseline": None},
    {**floor(), "if_inconclusive": "maybe"},
    {"checks": [{"at_least": 1}]},
    {"checks": [{"metric": "m"}]},
    floor(at_least=None),
    floor(at_least="0.7"),
    floor(at_leest=1),
    floor(metric=""),
    floor(type=None),
    floor(type=["x"]),
    floor(type="thresholds"),
    floor(score=5),
    floor(statistic="median"),
    floor(statistic="p101"),
    floor(statistic="share:"),
    floor(confidence=95),
    floor(confidence=0.5),
    floor(confidence=0.9, statistic="max"),
    floor(confidence=0.9, statistic="share:"),
    floor(where={}),
    floor(where={"": 1}),
    floor(where={"a": []}),
    floor(where={"a": [[1]]}),
    floor(where={"a": {}}),
    floor(where={"a": {"at_leest": 1}}),
    floor(where={"a": {"at_least": "1"}}),
    floor(min_count=0),
    floor(min_count=2.5),
    floor(max_nan_fraction=1.5),
    floor(max_error_rate=-0.5),
    floor(severity="info"),
    floor(margin=0.1),
    floor(cluster_by="document"),
    floor(cluster_by="document", confidence=None),
    floor(score_range=[1, 1.0]),
    floor(statistic="p50\n"),
    floor(repeat_by="seed", statistic="pass@5\n"),
    comparison(repeat_by="seed", statistic="pass@3", baseline_runs=2),
    comparison(baseline_runs=0),
    drift(reference=4),
    drift(statistic="p55"),
    drift(window=5),
    comparison(margin=-0.01),
    comparison(margin=1, relative=True),
    comparison(margin=5, relative=True, higher_is_better=True, score_range=[0, 1]),
    comparison(margin=5, relative=True, score_range=None),
    comparison(margin=None),
    comparison(relative="no"),
    comparison(higher_is_better=None),
    comparison(higher_is_better="false"),
    comparison(baseline=3),
    comparison(mode="prov"),
    comparison(key={"a": 1}),
    comparison(key=5),
    comparison(key=[]),
    comparison(key=["a", ""]),
    comparison(min_count=True),
    comparison(max_unpaired="0"),
    comparison(repeat_by=""),
    comparison(repeat_by="seed", statistic="pass@0"),
    comparison(repeat_by="seed", statistic="p50"),
    comparison(statistic="majority"),
    comparison(statistic="majority", repeat_by="seed", baseline_runs=2),
    comparison(statistic="pass@2", repeat_by=None),
    floor(statistic="pass@2"),
    floor(repeat_by="epoch", statistic="share:good", confidence=0.9),
    history(statistic="majority"),
    history(window=4),
    history(window=7.5),
    history(spread=-1),
    history(spread=0),
    history(statistic="median"),
    history(at_least=1),
]


@pytest.mark.parametrize("policy", GOOD)
def test_the_schema_and_the_code_take_a_policy(policy):
    VALIDATOR.validate(policy)
    assert is_read(policy)


@pytest.mark.parametrize("policy", BAD)
def test_the_schema_and_the_code_refuse_a_policy(policy):
    assert (VALIDATOR.is_valid(policy), is_read(policy)) == (False, False)


words = st.sampled_from(["mean", "p50", "share:x", "detect", "prove", "warn", "threshold", "at_least", "no", ""])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 120) | st.floats(-1e6, 1e6) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)


@given(
    base=st.sampled_from([floor(), floor(statistic="max"), comparison(), history()]),
    name=st.sampled_from(sorted({name for check in KINDS.values() for name in check.rules})),
    value=values,
)
def test_the_schema_and_the_code_agree_on_any_value(base, name, value):
    policy = {"checks": [{**base["checks"][0], name: value}]}
    # No JSON Schema compares two fields.
    if name in ("at_least", "at_most") and isinstance(value, int | float):
        policy["checks"][0] |= {"at_least": value, "at_most": value}
    if name == "score_range" and VALIDATOR.is_valid(policy) and value is not None and value[0] >= value[1]:
        assert not is_read(policy)
        return
    assert VALIDATOR.is_valid(policy) == is_read(policy)


#: Values of each field, most of them good ones; those of several fields need not go together.
STATISTICS = st.sampled_from(["mean", "max", "count", "p5", "p50", "p55", "majority", "pass@3", "share:a", "p50\n"])
FIELDS = st.sampled_from([None, "a", "b", "c"])
BARS = st.sampled_from([None, 0, 0.5, 1, 10**400])
DOMAINS = {
    "metric": st.just("m"),
    "score": FIELDS,
    "statistic": STATISTICS,
    "at_least": BARS,
    "at_most": BARS,
    "confidence": st.sampled_from([None, 0.5, 0.9, 0.99]),
    "where": st.none() | st.dictionaries(st.sampled_from("abc"), st.sampled_from([1, ["x"], {"below": 1}]), max_size=2),
    "by": FIELDS,
    "key": FIELDS | st.lists(st.sampled_from("ab"), max_size=2),
    "cluster_by": FIELDS,
    "repeat_by": FIELDS,
    "score_range": st.none() | st.lists(st.sampled_from([0, 1, 1.0, 5]), max_size=3),
    "min_count": st.sampled_from([0, 1, 5.0, 5.5, 10**400]),
    "severity": st.sampled_from(["warn", "fail"]),
    "margin": st.sampled_from([-1, 0, 0.1]),
    "mode": st.sampled_from(["detect", "prove"]),
    "missing": st.sampled_from(["limit", "worst"]),
    "baseline": st.sampled_from([None, "pinned"]),
    "baseline_runs": st.sampled_from([1, 2]),
    "window": st.sampled_from([4, 20]),
    "spread": st.sampled_from([0, 3]),
    "reference": st.sampled_from([4, 10]),
    "higher_is_better": st.sampled_from([True, None]),
    **dict.fromkeys(("relative", "rare_losses"), st.booleans()),
    **dict.fromkeys(("max_nan_fraction", "max_error_rate", "max_unpaired"), st.sampled_from([0, 1, 2])),
}


@st.composite
def checks_of_any_kind(draw):
    kind = draw(st.sampled_from(sorted(KINDS)))
    names = draw(st.sets(st.sampled_from(sorted(KINDS[kind].rules)), max_size=5))
    bar = {"at_least": draw(st.sampled_from([0, 0.5]))} if kind == "threshold" and draw(st.booleans()) else {}
    return {"type": kind, "metric": "m"} | bar | {name: draw(DOMAINS[name]) for name in sorted(names)}


def breaks_a_rule_that_no_schema_has(check):
    """One of those that policy_schema() names: on the size of a number, or on values that are compared."""
    if any(isinstance(value, int) and value > 1e308 for value in check.values()):
        return True
    low, high, ends = check.get("at_least"), check.get("at_most"), check.get("score_range")
    key, repeat_by = check.get("key"), check.get("repeat_by")
    used = [check.get("by"), check.get("cluster_by"), *(check.get("where") or ())]
    return (
        (low is not None and high is not None and low > high)
        or (ends is not None and len(ends) == 2 and ends[0] > ends[1])
        or (repeat_by is not None and (repeat_by in used or (bool(key) and set(key) == {repeat_by})))
    )


@given(checks_of_any_kind())
def test_the_schema_has_all_rules_but_those_that_it_names(check):
    policy = {"checks": [check]}
    is_good = VALIDATOR.is_valid(policy) and not breaks_a_rule_that_no_schema_has(check)
    assert is_read(policy) == is_good


MISTAKES = """
if_inconclusive: maybe
checks:
  - metric: exact-match
    at_least: lots
    severity: info
  - type: no_regression
    metric: exact-match
    margn: 0.1
    keyy: id
    where: {level: {at_leest: 1, bellow: 3}, topic: math}
    mode: prov
  - type: no_regresion
    metric: m
  - metric: n
"""


def test_all_mistakes_are_told_at_once_each_with_its_place():
    with pytest.raises(ConfigurationError) as told:
        read_policy(MISTAKES, name="p.yaml")
    first, *lines = str(told.value).splitlines()
    assert first == "p.yaml: 10 mistakes"
    expected = [
        ("- if_inconclusive, line 2: ", "found 'maybe'"),
        ("- checks[0].at_least, line 5: ", "at_least must be a finite number, found 'lots'"),
        ("- checks[0].severity, line 6: ", "found 'info'"),
        ("- checks[1].margn, line 9: ", 'Did you mean "margin"?'),
        ("- checks[1].keyy, line 10: ", 'Did you mean "key"?'),
        ("- checks[1].mode, line 12: ", "found 'prov'"),
        ("- checks[1].where.level.at_leest, line 11: ", 'Did you mean "at_least"?'),
        ("- checks[1].where.level.bellow, line 11: ", 'Did you mean "below"?'),
        ("- checks[2].type, line 13: ", 'Did you mean "no_regression"?'),
        ("- checks[3], line 15: ", "give at_least, at_most, or both"),
        ("Known fields of no_regression: metric, ", ", severity"),
        ("Known keys of a range: ", "at_least, at_most, above, below"),
        ("Known types of checks: ", "threshold, no_regression, within_history, no_drift"),
    ]
    assert len(lines) == len(expected)
    for line, (start, end) in zip(lines, expected, strict=True):
        assert (line.startswith(start), line.endswith(end)) == (True, True), line


def test_of_many_mistakes_the_first_ones_are_told():
    checks = [{"metric": "m" * 100, "at_leest": i} for i in range(500)]
    with pytest.raises(ConfigurationError) as told:
        read_policy(json.dumps({"checks": checks}), name="p.json")
    lines = str(told.value).splitlines()
    assert lines[0] == "p.json: 500 mistakes"
    assert lines[-2] == f"- and {500 - len(lines) + 3} more"
    assert lines[-1].startswith("Known fields of threshold: metric, score, ")
    assert all(line.endswith('unknown field "at_leest". Did you mean "at_least"?') for line in lines[1:-2])
    assert len(str(told.value)) < 2000


@pytest.mark.parametrize(
    ("policy", "place", "words"),
    [
        (floor(at_least="lots"), "$.checks[0].at_least", "'lots' is not of type 'number', 'null'"),
        (floor(at_leest=1), "$.checks[0]", "'at_leest' was unexpected"),
        (floor(type="thresholds"), "$.checks[0].type", "'thresholds' is not one of ['threshold', 'no_regression'"),
        ({"checks": [{"metric": "m"}]}, "$.checks[0]", "'at_least' is a required property"),
        (comparison(mode="prov"), "$.checks[0].mode", "'prov' is not one of ['detect', 'prove']"),
        (comparison(margin=-1), "$.checks[0].margin", "-1 is less than the minimum of 0"),
        (comparison(key=5), "$.checks[0].key", "5 is not of type 'string', 'array', 'null'"),
        (floor(where={"a": {"at_leest": 1}}), "$.checks[0].where.a", "'at_leest' was unexpected"),
        (history(window=4), "$.checks[0].window", "4 is less than the minimum of 5"),
        (drift(window=5), "$.checks[0]", "'window' was unexpected"),
        (floor(cluster_by="document"), "$.checks[0]", "'confidence' is a required property"),
        (floor(score_range=[1, 1]), "$.checks[0].score_range", "has non-unique elements"),
        ({"checks": [1]}, "$.checks[0]", "1 is not of type 'object'"),
    ],
)
def test_an_editor_explains_a_mistake_by_the_rules_of_its_own_type(policy, place, words):
    (error,) = {(each.json_path, each.message) for each in VALIDATOR.iter_errors(policy)}
    assert error[0] == place
    assert words in error[1]


def test_an_editor_shows_what_each_field_is_for_and_its_default():
    for kind, check in KINDS.items():
        properties = policy_schema()["$defs"][kind]["properties"]
        assert set(properties) == {"type", *check.rules}
        undescribed = [name for name in check.rules if "description" not in properties[name]]
        assert undescribed == []
        for field in dataclasses.fields(check):
            if field.default is not dataclasses.MISSING:
                assert properties[field.name]["default"] == field.default
    assert policy_schema()["$defs"]["no_regression"]["properties"]["margin"]["description"].startswith("drop of the")
