from __future__ import annotations

import random
import re
import tracemalloc

import pytest

from airflow_provider_benchmarks.client import GENERATIONS
from airflow_provider_benchmarks.jobs import BenchmarkJob, LogLine, LogSummary, failure_reason
from airflow_provider_benchmarks.jobs.failures import clean, in_time_order


def test_the_tail_is_in_the_order_of_time(recorded):
    # The service returns the error of 141 first, though it came last.
    page, _ = GENERATIONS["benchmark-jobs"].read_log_page(recorded(141))
    lines = in_time_order(page)
    times = [line.at for line in lines if line.at]
    assert times == sorted(times)
    assert "Evaluation failed during sample generation on row 0" in "\n".join(LogSummary(lines).tail(3))


def test_a_line_without_a_time_stays_behind_its_predecessor():
    lines = [LogLine(message="b", at="2"), LogLine(message="b2"), LogLine(message="a", at="1")]
    assert [line.message for line in in_time_order(lines)] == ["a", "b", "b2"]


def test_repeats_are_folded_and_the_number_of_lines_is_kept():
    log = LogSummary(LogLine(message=m) for m in ("a", "b", "b", "b", "", "c"))
    assert log.tail(2) == ["b (3 times)", "c"]
    assert log.tail(50) == ["a", "b (3 times)", "c"]
    assert log.tail(0) == []
    assert log.lines == 6


def test_lines_that_take_turns_are_folded_too():
    lines = [LogLine(message=m) for _ in range(100) for m in ("row failed", "retrying")]
    assert LogSummary([LogLine(message="first"), *lines, LogLine(message="retrying")]).tail(50) == [
        "first",
        "row failed (100 times)",
        "retrying (101 times)",
    ]


@pytest.mark.parametrize("seed", range(20))
def test_in_whatever_order_lines_come_the_last_ones_and_the_first_errors_are_found(seed):
    chance = random.Random(seed)
    lines = [
        LogLine(
            message=f"line {chance.randrange(400)}",
            at=chance.choice(["", *(f"2026-01-01T00:00:{second:02}" for second in range(60))]),
            level=chance.choice(["info"] * 9 + ["error"]),
            **{key: f"{key} {number}" for key in ("root_error", "error") if chance.random() < 0.3},
        )
        for number in range(1000)
    ]
    log = LogSummary(lines, keep=20)
    ordered = in_time_order(lines)
    last: dict[str, None] = {}
    for line in ordered:
        text = LogSummary([line]).tail(1)[0]
        last.pop(text, None)
        last[text] = None
    assert [re.sub(r" \(\d+ times\)$", "", text) for text in log.tail(20)] == list(last)[-20:]
    for key in ("root_error", "error"):
        errors = (getattr(line, key) for line in ordered if line.level == "error" and getattr(line, key))
        assert log.first_error(key) == next(errors)
    assert log.first_error("message") == next(line.message for line in ordered if line.level == "error")


def test_a_log_of_any_length_takes_little_memory():
    failed = LogLine(message="Error in task", level="error", at="0", root_error="no such column")
    rows = (LogLine(message=f"row {number}: " + "x" * 2000, at=f"{number:09}") for number in range(15_000))  # 30 MB
    LogSummary([failed]).tail(1)  # what is made once is not counted
    tracemalloc.start()
    try:
        log = LogSummary([failed])
        log.add(rows)
        log.add([LogLine(message="the end", at="9")])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10e6
    assert log.lines == 15_002
    assert log.tail(1) == ["the end"]
    assert failure_reason(BenchmarkJob(name="j", workspace="w", status="error"), log) == "no such column"


def test_an_error_line_without_a_word_is_no_reason():
    job = BenchmarkJob(name="j", workspace="w", status="error", error="Job exited with code 1")
    log = LogSummary([LogLine(message="", level="error")])
    assert failure_reason(job, log) == "Job exited with code 1"


def test_long_texts_are_cut_and_say_so():
    assert clean("x" * 50, 10) == "x" * 10 + "… (40 more characters)"


def test_directories_go_and_addresses_stay():
    text = "see https://host.example/docs/a/b and /var/lib/jobs/x/results/rows.jsonl or item/field"
    assert clean(text, 500) == "see https://host.example/docs/a/b and …/rows.jsonl or item/field"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("error reading file:///var/lib/jobs/x/rows.jsonl", "error reading file://…/rows.jsonl"),
        ("path:/opt/nemo/conf/a.yaml", "path:…/a.yaml"),
        ("No such file: '/app/config.yaml'", "No such file: '…/config.yaml'"),
        ("POST /chat/completions of ws/fileset#results/rows.jsonl", None),
        ("https://host:8080/docs/a/b, //host/a/b/c, ./results/a/b and http://[::1]/docs/a/b", None),
        ("and/or 3/4 of my-workspace/qa-bench/x", None),
    ],
)
def test_paths_of_the_services_machine(text, shown):
    assert clean(text, 500) == (shown or text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer nvapi-abcdef0123456789", "Authorization: Bearer ***"),
        ("{'api_key': 'sk-abcdef0123456789'}", "{'api_key': '***'}"),
        ("api_key=sk-abcdef0123456789, retrying", "api_key=***, retrying"),
        ("X-API-KEY: 0a1b2c3d4e", "X-API-KEY: ***"),
        ("HF_TOKEN=hf_abcdefghijklmnop0123", "HF_TOKEN=***"),
        ("refused nvapi-abcdefghijkl-mnop", "refused ***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc is expired", "*** is expired"),
        ("https://user:pa55word@host/v1", "https://***@host/v1"),
        ("basic 512 checks, unexpected token: identifier", None),
        ("token count 4096, max_tokens=512, api_key: field required", None),
        ("job sk-learn-pipeline failed, see http://host:8080/a@b", None),
    ],
)
def test_secrets_are_hidden_and_other_words_are_not(text, shown):
    assert clean(text, 500) == (shown or text)
