"""Policies that are small and mean much, or are large: a short error, or a policy, and never anything else."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_benchmarks import __main__ as command
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import (
    NoDrift,
    NoRegression,
    Threshold,
    WithinHistory,
    check_from_dict,
    read_policy,
)
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.reviewed_text import MAX_BYTES

MOST = 2000


def message_of(read, *arguments, **named):
    with pytest.raises(ConfigurationError) as caught:
        read(*arguments, **named)
    message = str(caught.value)
    assert 0 < len(message) < MOST
    return message


def is_taken_or_told(read, *arguments, **named):
    message = ""
    try:
        read(*arguments, **named)
    except ConfigurationError as error:
        message = str(error)
    assert len(message) < MOST


def aliases(levels):
    text = "&a0 [x,x,x,x,x,x,x,x,x,x]"
    for level in range(1, levels):
        text = f"&a{level} [{text},{','.join([f'*a{level - 1}'] * 9)}]"
    return text


@pytest.mark.parametrize(
    "policy",
    [
        "checks:\n - {metric: %s, at_least: 0.5}\n",
        "checks:\n - {metric: m, at_least: 0.5, where: {x: %s}}\n",
        "checks:\n - {metric: m, at_least: 0.5, where: %s}\n",
        "checks:\n - {metric: m, score: %s, at_least: 0.5}\n",
        "checks:\n - {metric: m, at_least: %s}\n",
        "checks:\n - {type: %s, metric: m}\n",
        "checks:\n - {type: no_regression, metric: m, key: %s}\n",
        "checks:\n - {metric: m, wrong: %s}\n",
        "checks: %s\n",
        "if_inconclusive: %s\nchecks: [1]\n",
        "? %s\n: 1\n",
    ],
)
def test_aliases_make_no_message_of_megabytes(policy):
    assert "anchors and aliases" in message_of(read_policy, policy % aliases(6))


def test_aliases_that_would_fill_the_memory_are_refused():
    # In a process of its own: what reads them does not end.
    code = (
        "import sys; from airflow_provider_benchmarks.gates import read_policy\n"
        "try: read_policy(sys.stdin.read())\n"
        "except ValueError as error: print(len(str(error)))"
    )
    policy = f"checks:\n - {{metric: {aliases(9)}, at_least: 0.5}}\n"
    assert len(policy) < 450
    done = subprocess.run(
        [sys.executable, "-c", code], input=policy, capture_output=True, text=True, timeout=60, check=True,
        cwd=Path(command.__file__).parents[1],
    )  # fmt: skip
    assert int(done.stdout) < MOST


@pytest.mark.parametrize("depth", [21, 250, 1000, 30_000])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("name", ["p.json", "p.yaml"])
def test_what_is_nested_deeply_is_reported_so(depth, start, end, name):
    policy = f'{{"checks": {start * (depth - 1)}1{end * (depth - 1)}}}'
    if len(policy) <= MAX_BYTES:
        assert "nested too deeply" in message_of(read_policy, policy, name=name)


@pytest.mark.parametrize("policy", ["[" * 100_000, "- " * 60_000, "{a: " * 30_000, "? " * 60_000, "[" * 100_000 + "x"])
def test_yaml_that_is_nested_deeply_is_reported_so(policy):
    assert "nested too deeply" in message_of(read_policy, policy)


MANY = {
    "numbers": [0] * 10_000,
    "mappings": [{}] * 10_000,
    "keys": {f"a{number}": 0 for number in range(5000)},
}


@pytest.mark.parametrize("values", MANY.values(), ids=MANY)
@pytest.mark.parametrize("name", ["p.json", "p.yaml", "p"])
def test_too_many_values_are_reported_so(values, name):
    policy = json.dumps({"checks": values})
    assert "more than the 10,000 values that a policy may have" in message_of(read_policy, policy, name=name)


def test_a_policy_may_be_as_deep_as_checks_are():
    policy = {"checks": [{"metric": "m", "at_least": 0, "where": {"a": {"at_least": 1}, "b": [1, 2]}}]}
    assert read_policy(json.dumps(policy)) == read_policy("checks:\n- " + json.dumps(policy["checks"][0]))


HUGE = {
    "a text": "x" * 100_000,
    "a list": ["x" * 50] * 2000,
    "a mapping": {f"field{n}": n for n in range(3000)},
    "a number": 10**5000,
    "a number that fits": 10**300,
    "a deep list": json.loads("[" * 15 + "1" + "]" * 15),
}


@pytest.mark.parametrize("value", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("field", ["score", "at_least", "statistic", "where", "by", "min_count", "severity", "more"])
def test_a_large_value_is_shown_cut(field, value):
    fields = {"at_least": 1, "metric": "m", field: value}
    if field != "more":
        is_taken_or_told(Threshold, **fields)
    message_of(check_from_dict, {**fields, "severity": value})


@pytest.mark.parametrize("kind", [Threshold, NoRegression, WithinHistory, NoDrift])
@pytest.mark.parametrize("value", HUGE.values(), ids=HUGE)
def test_a_metric_is_shown_cut(kind, value):
    message_of(kind, value, severity="none")


@pytest.mark.parametrize("value", HUGE.values(), ids=HUGE)
def test_a_large_value_where_no_check_is_is_shown_cut(value):
    message_of(check_from_dict, value)
    message_of(check_from_dict, {"type": value})
    message_of(BenchmarkGateOperator, task_id="g", job_name="j", checks=[{"metric": "m", "at_least": 1}, [value]])
    message_of(BenchmarkGateOperator, task_id="g", job_name="j", checks=[{"metric": "m", "more": value}])
    for name in ("on_failure", "if_inconclusive"):
        message_of(
            BenchmarkGateOperator, task_id="g", job_name="j", checks=[{"metric": "m", "at_least": 1}], **{name: value}
        )


def test_bars_that_no_value_can_reach_are_shown_cut():
    assert "10000" in message_of(Threshold, "m", at_least=10**300, at_most=0)


def test_a_value_that_holds_itself_is_reported():
    loop: dict = {"metric": "m"}
    loop["where"] = loop
    message_of(check_from_dict, loop)
    nested: list = []
    nested.append(nested)
    message_of(check_from_dict, {"metric": "m", "at_least": 1, "where": {"a": nested}})
    message_of(check_from_dict, {"metric": nested})
    message_of(check_from_dict, nested)


def test_many_wrong_keys_are_reported_by_their_first():
    policy = {f"key{n}": n for n in range(5000)}
    message_of(read_policy, json.dumps(policy))
    message_of(read_policy, json.dumps({"checks": [policy]}))
    message_of(read_policy, json.dumps({"x" * 100_000: 1}))
    message_of(read_policy, f"? {'x' * 100_000}\n: 1\n? {'x' * 5}\n: 2")
    message_of(read_policy, f"? !{'x' * 50_000} a\n: 1")
    message_of(read_policy, f"%TAG ! {'x' * 50_000}\n---\n!a b")
    message_of(read_policy, f"? {'x' * 50_000}\n: 1\n? {'x' * 50_000}\n: 2")
    message_of(read_policy, f"%YAML 1.{'9' * 5000}\n--- 1")


@pytest.mark.parametrize("text", ["# ", "\n", "- a\n", "[", '"', "é"])
def test_a_large_file_is_refused_unread(text):
    content = text * (MAX_BYTES // len(text) + 1)
    assert "larger than the 131,072 bytes" in message_of(read_policy, content)
    assert "larger than the 131,072 bytes" in message_of(read_policy, content.encode())


def test_a_file_may_be_as_large_as_is_reported():
    policy = "checks: [{metric: m, at_least: 1}]\n"
    assert read_policy(policy + "#" * (MAX_BYTES - len(policy))).checks == (Threshold("m", at_least=1),)


class Endless(io.RawIOBase):
    """A file without an end, which counts how much of it was read."""

    read_bytes = 0

    def read(self, size=-1):
        assert size > 0, "all of it"
        self.read_bytes += size
        return b"#" * size


def test_a_shell_reads_no_more_of_a_file_than_a_policy_may_have(monkeypatch, capsys):
    file = Endless()
    monkeypatch.setattr("airflow_provider_benchmarks.scores.stored_files.open_stored", lambda path: file)
    assert command.main(["gate", "--policy", "endless", "--candidate", "c"]) == command.FAILED
    assert "endless is larger than" in capsys.readouterr().err
    assert file.read_bytes == MAX_BYTES + 1


def test_the_text_of_a_policy_is_no_path():
    policy = "checks: [{metric: m, at_least: 0.5}]\n" * 500
    for path in (policy, f"/{policy}"):
        gate = BenchmarkGateOperator(task_id="g", job_name="j", policy="{{ policy }}")
        gate.policy = path
        assert "there is no policy file" in message_of(gate.execute, {})


names = st.sampled_from(["p.json", "p.yaml"])
pieces = st.sampled_from(
    [*"[]{}:,-&*!?|>%@'\"\\#~ \n\t", "checks", "metric", "m", "- ", ": ", "&a ", "*a", "!!int ", "<<: ", "9" * 4400]
    + [
        "0x1F",
        "1:30",
        "010",
        ".inf",
        ".nan",
        "NaN",
        "2024-01-01",
        "\\UFFFFFFFF",
        "\\ud800",
        "\x00",
        "\x85",
        "=",
        "1e999",
    ]
    + [
        "!!binary ",
        "!!set ",
        "!!python/name:os.system ",
        "!!timestamp ",
        "!!float ",
        "--- ",
        "...",
        "at_least",
        "where",
    ]
)


@given(content=st.binary(max_size=60), name=names)
def test_any_bytes_are_a_policy_or_an_error(content, name):
    is_taken_or_told(read_policy, content, name=name)


@given(content=st.lists(pieces, max_size=12).map("".join), name=names)
@example(content='"\\UFFFFFFFF"', name="p.yaml")
@example(content="!!int 1:1:1", name="p.yaml")
def test_any_yaml_is_a_policy_or_an_error(content, name):
    is_taken_or_told(read_policy, content, name=name)


fields = st.sampled_from(
    [*Threshold.rules, *NoRegression.rules, *WithinHistory.rules, *NoDrift.rules, "type", "below", "x", ""]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([10**400, 10**4000, -(10**300)]) | st.floats()
    | st.text(max_size=5) | st.sampled_from(["no_regression", "within_history", "mean", "x" * 3000]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(fields, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(check=st.dictionaries(fields, anything, max_size=5), name=names)
def test_any_json_is_a_policy_or_an_error(check, name):
    is_taken_or_told(read_policy, json.dumps({"checks": [check]}), name=name)
    is_taken_or_told(check_from_dict, check)


@pytest.mark.parametrize("text", ["checks: {" + "~," * 50_000, "checks: [" + "[]," * 40_000, "a: b\n" * 20_000])
def test_more_values_than_a_policy_needs_are_not_all_read(text):
    assert "more than the 10,000 values that a policy may have" in message_of(read_policy, text.encode(), name="p.yaml")
