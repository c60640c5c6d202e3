"""Files that the real evaluators have written; tests/recorded/evaluators/README.md says how."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_benchmarks.gates import NoRegression, Threshold, evaluate
from airflow_provider_benchmarks.scores import read_results
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS
from airflow_provider_benchmarks.scores.results_files import read_runs
from airflow_provider_benchmarks.scores.results_files.definition import definition

RECORDED = Path(__file__).parents[3] / "recorded" / "evaluators"

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


def chat_log(path, run, **task):
    """A log of chats. As in real ones, each message has an id that is another one in each run."""
    samples = [
        {
            "id": number,
            "epoch": 1,
            "input": [
                {"id": f"{run}-s{number}", "role": "system", "content": "s"},
                {"id": f"{run}-u{number}", "role": "user", "content": str(number)},
            ],
            "target": "1",
            "scores": {"match": {"value": "C" if number < 5 else "I"}},
        }
        for number in range(1, 10)
    ]
    described = {"task": "t", "model": "m", "created": "2026-11-28T07:42:01+00:00", "dataset": {"name": "chat"}}
    described |= {"task_version": 0, "task_args": {"level": 1}, "scorers": [{"name": "match", "options": {}}]}
    described |= {"model_roles": {"grader": {"model": "a"}}}
    plan = {"steps": [{"solver": "prompt", "params": {"template": "{q}"}}]}
    log = {"status": "success", "results": {"total_samples": 9}, "samples": samples, "plan": plan}
    path.write_text(json.dumps(log | {"eval": described | task}))
    return path


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
        again = [replace(first, **changes) for changes in ({"rows": other.rows}, {"run_id": "x"}, {"content": {}})]
        assert len({first.job, *(each.job for each in again)}) == 4

    def test_the_definition_of_the_task_is_the_same_for_both_runs_and_is_known(
        self, recorded, tool, task, metric, score, mean, worse, count, errors, question
    ):
        first, other = (read_results(recorded(tool, run), task=task) for run in ("better", "worse"))
        assert first.content == other.content
        assert set(first.content) == {"task", "metrics"}
        json.dumps(first.content, allow_nan=False)
        assert tool == "nel" or metric in first.content["metrics"]


def change(folder, pattern, edit):
    """Change a JSON document."""
    (path,) = folder.rglob(pattern)
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))


#: Evaluator, task, metric, score, a change of its file, and what is said of the change.
CHANGED = [
    ("lm-eval", "exact_match", lambda d: d["n-shot"].update(trivia=5), "task.num_fewshot is 5 and was 0"),
    ("lm-eval", "exact_match", lambda d: d["versions"].update(trivia=2), "task.version is 2 and was 'Yaml'"),
    ("lm-eval", "exact_match", lambda d: d["task_hashes"].update(trivia="f"), 'task.hash is "f" and was "3f8160'),
    (
        "lm-eval",
        "exact_match",
        lambda d: d["configs"]["trivia"].update(doc_to_text="{{question}}"),
        'task.doc_to_text is "{{question}}" and was "{{question}}?"',
    ),
    (
        "lm-eval",
        "exact_match",
        lambda d: d["configs"]["trivia"]["metric_list"][0].update(ignore_case=True),
        "metrics.exact_match.ignore_case is True and was missing",
    ),
    ("nel", "reward", lambda d: d["config"].update(scorers=["judge"]), "task.scorers is ['judge'] and was missing"),
    ("nel", "reward", lambda d: d["config"]["shuffle"].update(ds_full_size=8), "task.dataset_size is 8 and was 9"),
    ("lighteval", "em", lambda d: d["config_tasks"]["trivia|0"].update(version=1), "task.version is 1 and was 0"),
    (
        "lighteval",
        "em",
        lambda d: d["config_tasks"]["trivia|0"]["metrics"][0].update(sample_level_fn="ExactMatches(loose)"),
        'metrics.em.sample_level_fn is "ExactMatches(loose)" and was',
    ),
]


class TestVersionsOfATask:
    @pytest.mark.parametrize(("tool", "metric", "edit", "told"), CHANGED, ids=[each[3] for each in CHANGED])
    def test_two_versions_are_not_compared(self, recorded, copied, tool, metric, edit, told):
        folder, task = copied(tool), "trivia" if tool == "lm-eval" else None
        change(folder, "eval-*.json" if tool == "nel" else "results_*.json", edit)
        candidate, baseline = (read_results(path, task=task) for path in (folder, recorded(tool)))
        score = "strict" if tool == "lm-eval" else None
        checks = [NoRegression(metric, score=score, min_count=5, max_error_rate=0.2)]
        (result,) = evaluate(checks, candidate, baseline).results
        assert result.outcome == "fail"
        assert f"another version of the benchmark was measured: {told}" in result.reason

    @pytest.mark.parametrize("limit", [5, 0.5])
    def test_a_limited_run_is_said_to_be_one(self, recorded, copied, limit):
        folder = copied("lm-eval")
        change(folder, "results_*.json", lambda d: d["config"].update(limit=limit))
        change(folder, "results_*.json", lambda d: d["task_hashes"].update(trivia="another"))
        candidate, baseline = (read_results(path, task="trivia") for path in (folder, recorded("lm-eval")))
        (result,) = evaluate([NoRegression("exact_match", score="strict", min_count=5)], candidate, baseline).results
        assert f"another version of the benchmark was measured: task.limit is {limit} and was missing" in result.reason
        assert "limit" not in baseline.content["task"]

    def test_another_metric_s_definition_does_not_matter(self, recorded, copied):
        folder = copied("lm-eval")
        change(folder, "results_*.json", lambda d: d["configs"]["trivia"]["metric_list"][1].update(ignore_case=True))
        candidate, baseline = (read_results(path, task="trivia") for path in (folder, recorded("lm-eval")))
        (result,) = evaluate([NoRegression("exact_match", score="strict", min_count=5)], candidate, baseline).results
        assert result.observed == 0

    def test_the_prompts_of_a_chat_template_are_the_model_s_own(self, copied):
        folder = copied("lm-eval")
        change(folder, "results_*.json", lambda d: d.update(chat_template="<user>{{ text }}"))
        assert "hash" not in read_results(folder, task="trivia").content["task"]

    def test_where_an_object_lay_in_memory_is_no_part_of_it(self, recorded):
        content = read_results(recorded("lighteval")).content
        assert "RougeScorer object>" in content["metrics"]["rouge1"]["sample_level_fn"]

    def test_a_long_definition_is_kept_as_its_hash(self):
        first, other = (definition({"prompt": "a" * 5000 + end}, {}) for end in "bc")
        assert first != other
        assert first["task"]["prompt"].startswith("5003 characters, sha256 ")
        assert len(first["task"]["prompt"]) < 100

    def test_details_alone_do_not_say(self, recorded):
        (details,) = recorded("lighteval").rglob("*.parquet")
        assert read_results(details).content is None


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

    def test_empty_answers_are_counted_and_keep_their_scores(self, copied):
        folder = copied("lm-eval")
        (samples,) = folder.rglob("samples_trivia*")
        lines = [json.loads(line) for line in samples.read_text().splitlines()]
        for line in lines:
            if line["doc_id"] in (6, 7):
                line.update(resps=[[""]])
        samples.write_text("\n".join(map(json.dumps, lines)))
        empty, whole = (read_runs(path, task="trivia")[0] for path in (folder, RECORDED / "lm-eval" / "better"))
        assert (empty.version["empty_answers"], whole.version.get("empty_answers")) == ("2", None)
        assert empty.aggregate == whole.aggregate
        assert all(row.inference_error is None for row in empty.rows)

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

    def test_two_runs_of_a_chat_are_paired(self, tmp_path):
        found = [read_results(chat_log(tmp_path / f"{name}.json", name)) for name in ("first", "second")]
        assert found[0].rows["input"].iloc[0] == [{"role": "system", "content": "s"}, {"role": "user", "content": "1"}]
        (result,) = evaluate([NoRegression("match", min_count=5)], *found).results
        assert (result.observed, result.details["pairs"]) == (0, 9)

    @pytest.mark.parametrize(
        ("task", "told"),
        [
            ({"task_version": 1}, "task.task_version is 1 and was 0"),
            ({"task_args": {"level": 2}}, "task.task_args.level is 2 and was 1"),
            ({"dataset": {"name": "other"}}, 'task.dataset is "other" and was "chat"'),
            ({"scorers": [{"name": "own/match", "options": {"a": 1}}]}, "metrics.match.options.a is 1 and was missing"),
            ({"model_roles": {"grader": {"model": "b"}}}, 'task.model_roles.grader is "b" and was "a"'),
        ],
    )
    def test_two_versions_are_not_compared(self, tmp_path, task, told):
        candidate, baseline = (
            read_results(chat_log(tmp_path / f"{len(each)}.json", "x", **each)) for each in (task, {})
        )
        (result,) = evaluate([NoRegression("match", min_count=5)], candidate, baseline).results
        assert result.outcome == "fail"
        assert f"another version of the benchmark was measured: {told}" in result.reason

    @pytest.mark.parametrize("solver", [None, "agent"])
    def test_a_solver_of_the_task_is_part_of_it_and_one_of_the_run_is_not(self, tmp_path, solver):
        task = read_results(chat_log(tmp_path / "log.json", "x", solver=solver)).content["task"]
        expected = None if solver else [{"name": "prompt", "params": {"template": "{q}"}}]
        assert task.get("solver") == expected

    def test_scorers_of_one_name_are_numbered(self, tmp_path):
        scorers = [{"name": name} for name in ("a/match", "b/match", "match")]
        content = read_results(chat_log(tmp_path / "log.json", "x", scorers=scorers)).content
        assert list(content["metrics"]) == ["match", "match1", "match2"]

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
