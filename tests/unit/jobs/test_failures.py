from __future__ import annotations

from airflow_provider_benchmarks.jobs import LogLine, tail
from airflow_provider_benchmarks.jobs.failures import clean, in_time_order


def test_the_tail_is_in_the_order_of_time(recorded):
    # The service gives the error of 141 first, though it came last.
    lines = in_time_order(LogLine.from_json(entry) for entry in recorded(141)["data"])
    times = [line.at for line in lines if line.at]
    assert times == sorted(times)
    assert "Evaluation failed during sample generation on row 0" in "\n".join(tail(lines, 3))


def test_a_line_without_a_time_stays_behind_its_predecessor():
    lines = [LogLine(message="b", at="2"), LogLine(message="b2"), LogLine(message="a", at="1")]
    assert [line.message for line in in_time_order(lines)] == ["a", "b", "b2"]


def test_repeats_are_folded_and_the_number_of_lines_is_kept():
    lines = [LogLine(message=m) for m in ("a", "b", "b", "b", "", "c")]
    assert tail(lines, 2) == ["b", "c"]
    assert tail(lines, 50) == ["a", "b", "c"]
    assert tail(lines, 0) == []


def test_long_texts_are_cut_and_say_so():
    assert clean("x" * 50, 10) == "x" * 10 + "… (40 more characters)"


def test_directories_go_and_addresses_stay():
    text = "see https://host.example/docs/a/b and /var/lib/jobs/x/results/rows.jsonl or item/field"
    assert clean(text, 500) == "see https://host.example/docs/a/b and …/rows.jsonl or item/field"
