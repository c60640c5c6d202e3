"""Files that the real evaluators have written; tests/recorded/evaluators/README.md says how."""

from __future__ import annotations

import math

import pytest

from airflow_provider_benchmarks.gates import NoRegression, Threshold, evaluate
from airflow_provider_benchmarks.scores import read_results
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS
from airflow_provider_benchmarks.scores.results_files import read_runs

#: Evaluator, task, metric, score, the better run's mean, the worse one's, rows with a value, rows without, item field
#: of the question. Six, and three, of nine questions are answered; of the last one, two evaluators have no answer.
RUNS = [
    ("lm-eval", "trivia", "exact_match", "strict", 6 / 9, 3 / 9, 9, 0, "question"),
    ("lm-eval", "trivia", "exact_match", "last-word", 7 / 9, 4 / 9, 9, 0, "question"),
    ("inspect_ai", None, "match", None, 6 / 8, 3 / 8, 16, 2, "input"),
    ("nel", None, "reward", None, 6 / 8, 3 / 8, 16, 2, "prompt"),
    ("lighteval", None, "em", None, 6 / 9, 3 / 9, 9, 0, "query"),
]
IDS = [f"{run[0]}-{run[3] or run[2]}" for run in RUNS]


@pytest.mark.parametrize(
    ("tool", "task", "metric", "score", "mean", "worse", "count", "errors", "question"), RUNS, ids=IDS
)
class TestEachEvaluator:
    def test_the_scores_are_those_of_the_rows(
        self, recorded, tool, task, metric, score, mean, worse, count, errors, question
    ):
        for run, expected in (("better", mean), ("worse", worse)):
            found = read_results(recorded(tool, run), task=task)
            aggregate = found.aggregate.get(metric, score)
            assert aggregate.mean == pytest.approx(expected)
            assert (aggregate.count, aggregate.nan_count) == (count, errors)
            assert (aggregate.min, aggregate.max, aggregate.sum) == (0, 1, pytest.approx(expected * count))
            assert aggregate.std_dev == pytest.approx(math.sqrt(expected * (1 - expected)))
            assert aggregate.percentiles["p100"] == 1
            assert found.rows is not None
            assert list(found.rows.index) == list(range(count + errors))
            assert found.rows[question].iloc[0].startswith("capital of France")
            assert found.rows.attrs[CALL_ERRORS] == list(range(count, count + errors))

    def test_a_threshold_and_a_comparison_are_made_by_pairs_of_rows(
        self, recorded, tool, task, metric, score, mean, worse, count, errors, question
    ):
        better, other = (read_results(recorded(tool, run), task=task) for run in ("better", "worse"))
        checks = [
            Threshold(metric, score=score, at_least=mean - 0.01, max_error_rate=0.2),
            NoRegression(metric, score=score, min_count=5, max_error_rate=0.2),
        ]
        gained = evaluate(checks, better, other).results
        assert (gained[0].outcome, gained[1].observed) == ("pass", pytest.approx(mean - worse))
        # With nine questions a comparison decides nothing, but it says what it has seen.
        lost = evaluate(checks, other, better).results
        assert (lost[0].outcome, lost[1].observed) == ("fail", pytest.approx(worse - mean))
        repeats = (count + errors) // 9
        assert (lost[1].details["pairs"], lost[1].details["items"]) == (count, count // repeats)
        assert {row["item"][question].split("?")[0] for row in lost[1].worst} == {
            "three and four",
            "five and four",
            "colour of snow",
        }

    def test_calls_that_failed_are_no_zeros(
        self, recorded, tool, task, metric, score, mean, worse, count, errors, question
    ):
        scores = read_results(recorded(tool), task=task)
        verdict = evaluate([Threshold(metric, score=score, at_least=0.1)], scores)
        if errors:
            assert verdict.outcome == "fail"
            assert f"the call of the model failed for {errors} of {count + errors} rows" in verdict.results[0].reason
        else:
            assert verdict.outcome == "pass"

    def test_the_evaluator_can_be_named(
        self, recorded, tool, task, metric, score, mean, worse, count, errors, question
    ):
        named = read_results(recorded(tool), tool, task=task)
        found = read_results(recorded(tool), task=task)
        assert (named.job, named.benchmark, named.aggregate) == (found.job, found.benchmark, found.aggregate)

    def test_the_run_is_told_from_others(
        self, recorded, tool, task, metric, score, mean, worse, count, errors, question
    ):
        first, same, other = (read_runs(recorded(tool, run), task=task)[0] for run in ("better", "better", "worse"))
        assert first.job == same.job != other.job
        assert len(first.job) <= 51
        assert first.benchmark == same.benchmark == other.benchmark == f"{tool}/{first.task}"
        assert first.created_at < other.created_at


class TestLmEval:
    def test_each_task_is_a_benchmark(self, recorded):
        runs = read_runs(recorded("lm-eval"))
        assert {run.task: [(s.metric, s.name) for s in run.aggregate.scores] for run in runs} == {
            "trivia": [
                ("exact_match", "strict"),
                ("exact_match", "last-word"),
                ("bleu", "bleu,strict"),
                ("bleu", "bleu,last-word"),
            ],
            "colours": [("acc", "acc"), ("acc_norm", "acc_norm")],
        }

    def test_a_score_of_the_whole_corpus_is_the_harness_s_own(self, recorded):
        bleu = read_results(recorded("lm-eval"), task="trivia").aggregate.get("bleu", "bleu,strict")
        assert (bleu.count, bleu.mean) == (1, 0.0)
        run = read_runs(recorded("lm-eval"), task="trivia")[0]
        assert set(run.rows[0].metrics) == {"exact_match"}  # of BLEU, documents have texts only

    def test_items_are_the_documents(self, recorded):
        rows = read_results(recorded("lm-eval"), task="trivia").rows
        assert {"question", "answer", "category", "doc_id", "doc_hash", "target"} <= set(rows.columns)


class TestInspectAi:
    def test_grades_are_numbers(self, recorded):
        rows = read_results(recorded("inspect_ai")).rows
        by_question = dict(zip(rows["input"], rows["graded"], strict=True))
        assert by_question["capital of France"] == 1  # C
        assert by_question["legs of a spider"] == 0.5  # P
        assert by_question["sides of a cube"] == 0  # N
        assert read_results(recorded("inspect_ai"), task="trivia").aggregate.get("graded").mean == 6.5 / 8

    def test_a_mapping_of_values_is_several_scores(self, recorded):
        aggregate = read_results(recorded("inspect_ai")).aggregate
        assert {s.name: s.mean for s in aggregate.scores if s.metric == "lengths"} == {
            "characters": 3.625,
            "short": 0.875,
            "ratio": pytest.approx(0.41428571),
        }
        assert (aggregate.get("lengths", "ratio").count, aggregate.get("lengths", "ratio").nan_count) == (14, 4)

    def test_epochs_are_repeats_of_an_item(self, recorded):
        rows = read_results(recorded("inspect_ai")).rows
        assert list(rows["id"])[:4] == ["q1", "q1", 2, 2]
        assert "epoch" not in rows.columns


class TestLighteval:
    def test_details_alone_are_enough(self, recorded):
        (details,) = recorded("lighteval").rglob("*.parquet")
        alone, whole = read_results(details), read_results(recorded("lighteval"))
        assert alone.rows.equals(whole.rows)
        assert alone.benchmark == whole.benchmark == "lighteval/trivia|0"
        assert {s.metric for s in whole.aggregate.scores} - {s.metric for s in alone.aggregate.scores} == {"bleu"}

    def test_the_file_of_results_names_the_details(self, recorded):
        (results,) = recorded("lighteval").rglob("results_*.json")
        assert read_results(results).rows.equals(read_results(recorded("lighteval")).rows)
