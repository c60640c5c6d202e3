"""Whatever files hold, reading them raises an error of this package that names the file."""

from __future__ import annotations

import json
import math
import pickle
import random
import shutil
import struct
import zipfile
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from pyarrow import parquet

from airflow_provider_benchmarks.exceptions import BenchmarkError, ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.gates import Threshold, evaluate
from airflow_provider_benchmarks.scores import read_results
from airflow_provider_benchmarks.scores.results_files import files, json_size, read_runs, run
from airflow_provider_benchmarks.scores.results_files.files import ResultFile
from airflow_provider_benchmarks.scores.results_files.inspect_archive import unpack

TOOLS = ["lm-eval", "inspect_ai", "nel", "lighteval"]


def only(folder, pattern):
    (found,) = Path(folder).rglob(pattern)
    return found


def edit(path, change):
    """Change a JSON document, or each line of a file of them."""
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    documents = [json.loads(line) for line in lines]
    path.write_text("\n".join(json.dumps(change(document) or document) for document in documents))


def cut_last_line(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def log(tmp_path, **changes):
    """A log of inspect_ai in JSON, with two samples."""
    samples = [
        {"id": 1, "epoch": 1, "input": "a", "target": "b", "scores": {"match": {"value": "C"}}},
        {"id": 2, "epoch": 1, "input": "c", "target": "d", "scores": {"match": {"value": "I"}}},
    ]
    data = {
        "status": "success",
        "eval": {
            "task": "t",
            "model": "m",
            "created": "2026-11-28T07:42:01+00:00",
            "dataset": {"sample_ids": [1, 2]},
            "scorers": [{"name": "match", "metrics": [{"name": "inspect_ai/accuracy", "options": {}}]}],
        },
        "results": {"total_samples": 2},
        "samples": samples,
    }
    path = tmp_path / "log.json"
    path.write_text(json.dumps(data | changes))
    return path


def own_mean(mean, *, reducer=None, metric="accuracy", params=None, **more):
    """What a log says of the scores of a scorer."""
    values = {metric: {"name": metric, "value": mean, "params": params or {}}}
    return {"name": "match", "scorer": "match", "reducer": reducer, "metrics": values, **more}


def edit_details(folder, change):
    """Change each row of the details of lighteval."""
    path = only(folder, "*.parquet")
    rows = parquet.read_table(path).to_pylist()
    for row in rows:
        change(row)
    parquet.write_table(pa.Table.from_pylist(rows), path)


class TestNothingToRead:
    def test_no_such_path(self, tmp_path):
        with pytest.raises(ConfigurationError, match="nowhere: there is no such file or folder"):
            read_results(tmp_path / "nowhere")

    @pytest.mark.parametrize("path", ["", " "])
    def test_no_path(self, path):
        with pytest.raises(ConfigurationError, match="expected the path of results, found"):
            read_results(path)

    def test_an_empty_folder(self, tmp_path):
        told = r"has no results of lm-evaluation-harness or inspect_ai or nel .* or lighteval: no file results_\*.json"
        with pytest.raises(ConfigurationError, match=told):
            read_results(tmp_path)

    def test_another_evaluator_s(self, recorded):
        with pytest.raises(ConfigurationError, match="has no results of inspect_ai"):
            read_results(recorded("nel"), "inspect_ai")

    def test_a_file_of_another_evaluator(self, recorded):
        with pytest.raises(
            ConfigurationError, match="has no results of lighteval: the file's content is something else"
        ):
            read_results(only(recorded("nel"), "eval-*"), "lighteval")

    def test_an_unknown_evaluator(self, recorded):
        with pytest.raises(
            ConfigurationError, match='unknown format "helm" of results; known: auto, lm-eval, inspect_ai'
        ):
            read_results(recorded("nel"), "helm")

    def test_several_benchmarks(self, recorded):
        with pytest.raises(
            ConfigurationError, match="the results of 2 benchmarks: colours, trivia. Name one with task="
        ):
            read_results(recorded("lm-eval"))

    def test_a_benchmark_that_is_not_there(self, recorded):
        with pytest.raises(ConfigurationError, match='no benchmark "sums"; there is colours, trivia'):
            read_results(recorded("lm-eval"), task="sums")

    @pytest.mark.parametrize("tool", TOOLS)
    def test_several_runs(self, recorded, tool):
        with pytest.raises(ConfigurationError, match='several runs of benchmark ".*": .*/better/.*, .*/worse/.*. Name'):
            read_results(recorded(tool).parent)

    def test_a_folder_may_hold_one_run_of_each_benchmark(self, copied):
        folder = copied("nel")
        copied("inspect_ai").rename(folder / "inspect_ai")
        shutil.copytree(folder / "trivia", folder / "second")
        edit(only(folder / "second", "eval-*"), lambda data: data["benchmark"].update(name="sums"))
        assert [(run.tool, run.task) for run in read_runs(folder)] == [
            ("inspect_ai", "trivia"),
            ("nel", "sums"),
            ("nel", "trivia"),
        ]
        assert [run.tool for run in read_runs(folder, "nel", task="sums")] == ["nel"]

    @pytest.mark.parametrize(
        ("name", "error", "told"),
        [
            ("results.jsonl", ConfigurationError, "there is no such file"),
            ("eval-*.json", IncompleteResults, "results.jsonl: it has rows of a run of nel"),
        ],
    )
    def test_a_folder_in_place_of_a_file(self, copied, name, error, told):
        file = only(copied("nel"), name)
        file.unlink()
        file.mkdir()
        with pytest.raises(error, match=told):
            read_results(file.parent)

    def test_too_many_files(self, tmp_path, monkeypatch):
        monkeypatch.setattr(files, "_MAX_FILES", 2)
        for name in "abc":
            (tmp_path / name).write_text("")
        with pytest.raises(ConfigurationError, match="has more than 2 files and folders. Name the folder of one run"):
            read_results(tmp_path)


class TestIncompleteRuns:
    def test_samples_were_not_logged(self, copied):
        folder = copied("lm-eval")
        only(folder, "samples_trivia*").unlink()
        with pytest.raises(IncompleteResults, match='no samples of task "trivia".*--log_samples'):
            read_results(folder, task="trivia")

    def test_details_were_not_saved(self, copied):
        folder = copied("lighteval")
        only(folder, "*.parquet").unlink()
        with pytest.raises(IncompleteResults, match="no details of task .*--save-details"):
            read_results(folder)

    def test_rows_of_a_bundle_are_elsewhere(self, copied):
        folder = copied("nel")
        only(folder, "results.jsonl").unlink()
        with pytest.raises(IncompleteResults, match="there is no results.jsonl beside it"):
            read_results(folder)

    @pytest.mark.parametrize(("number", "is_whole"), [(9, True), (-1, True), (None, True), (10, False), (0, False)])
    def test_details_are_cut_short(self, copied, number, is_whole):
        folder = copied("lighteval")
        edit(only(folder, "results_*.json"), lambda d: d["config_tasks"]["trivia|0"].update(effective_num_docs=number))
        if is_whole:
            assert read_results(folder).aggregate.get("em").count == 9
        else:
            with pytest.raises(
                IncompleteResults, match=f"parquet has 9 documents, but the results are of {number}: it"
            ):
                read_results(folder)

    @pytest.mark.parametrize(
        ("tool", "configs", "task"), [("lm-eval", "configs", "colours"), ("lighteval", "config_tasks", "trivia|0")]
    )
    def test_a_task_without_its_configuration(self, copied, tool, configs, task):
        folder = copied(tool)
        edit(only(folder, "results_*.json"), lambda data: data[configs].pop(task) and None)
        with pytest.raises(
            IncompleteResults, match=f'it has results of task ".*", but no configuration of it .{configs}.: it is'
        ):
            read_runs(folder)

    def test_groups_of_tasks_are_no_tasks(self, copied):
        folder = copied("lm-eval")
        mean = {"alias": "all", "acc,none": 0.5}
        edit(only(folder, "results_*.json"), lambda data: data["results"].update(old=mean, new=mean, colours={}))
        groups = {"groups": {"old": mean}, "group_subtasks": {"new": ["trivia", "colours"], "trivia": []}}
        edit(only(folder, "results_*.json"), lambda data: data | groups)
        assert {run.task for run in read_runs(folder)} == {"trivia", "colours"}

    def test_averages_of_tasks_are_no_tasks(self, copied):
        folder = copied("lighteval")
        edit(only(folder, "results_*.json"), lambda data: data["results"].update({"trivia:_average|0": {"em": 0.5}}))
        assert {run.task for run in read_runs(folder)} == {"trivia|0"}

    def test_a_sample_of_another_dataset(self, tmp_path):
        samples = [{"id": name, "epoch": 1, "scores": {"match": {"value": "C"}}} for name in (1, "3")]
        with pytest.raises(
            IncompleteResults, match=r"sample '3' is not of the dataset that the log lists, \[1, 2\]: the log is"
        ):
            read_results(log(tmp_path, samples=samples))

    def test_a_scorer_that_no_sample_has_a_score_of(self, tmp_path):
        other = own_mean(0.0) | {"name": "judge", "scorer": "judge"}
        found = read_results(log(tmp_path, results={"total_samples": 2, "scores": [own_mean(0.5), other]}))
        score = found.aggregate.get("judge")
        assert (score.count, score.nan_count, score.mean) == (0, 2, None)
        assert found.aggregate.get("match").mean == 0.5
        assert not evaluate([Threshold("judge", at_least=0.0)], found).passed
        scores = [own_mean(0.5), other | {"scored_samples": 2}]
        with pytest.raises(IncompleteResults, match="no sample has a score of judge, but the log counts 2"):
            read_results(log(tmp_path, results={"total_samples": 2, "scores": scores}))

    @pytest.mark.parametrize("by_file", [True, False])
    def test_two_bundles_beside_the_rows_of_one(self, copied, recorded, by_file):
        folder = copied("nel")
        bundle = only(folder, "eval-*")
        shutil.copy(only(recorded("nel", "worse"), "eval-*"), bundle.parent)
        with pytest.raises(IncompleteResults, match="results.jsonl is of one run, but 2 bundles are beside it: eval"):
            read_results(bundle if by_file else folder)

    @pytest.mark.parametrize("summary", [None, {}, {"mean": None}])
    def test_nothing_ties_the_rows_to_the_bundle(self, copied, summary):
        folder = copied("nel")
        edit(only(folder, "eval-*"), lambda data: data["benchmark"]["scores"].update(summary=summary))
        with pytest.raises(
            IncompleteResults, match='expected the mean of the rewards as "benchmark.scores.summary.mean"'
        ):
            read_results(folder)

    @pytest.mark.parametrize(
        ("config", "told"),
        [
            (
                {"shard": {"idx": 1, "total": 2, "range": [0, 4]}, "shard_range": [0, 4]},
                r"it has problems \[0, 4\] of 9",
            ),
            (
                {"shard_range": [4, 9]},
                r"it has problems \[4, 9\] of 9: a part of a run. Merge all shards \(nel eval merge",
            ),
            ({"shard": {"idx": 0, "total": 3}, "shard_range": [0, 3], "n_shards": 2}, "it has 2 of 3 shards: a part"),
        ],
    )
    def test_a_shard(self, copied, config, told):
        folder = copied("nel")
        edit(only(folder, "eval-*"), lambda data: data["config"].update(config))
        with pytest.raises(IncompleteResults, match=told):
            read_results(folder)

    @pytest.mark.parametrize(
        "config",
        [
            {"shard": {"idx": 0, "total": 1, "range": [0, 9]}, "shard_range": [0, 9]},
            {"shard": {"idx": 0, "total": 3}, "shard_range": [0, 3], "n_shards": 3},
        ],
    )
    def test_all_shards(self, copied, config):
        folder = copied("nel")
        edit(only(folder, "eval-*"), lambda data: data["config"].update(config))
        assert read_results(folder).aggregate.get("reward").count == 16

    def test_samples_are_cut_short(self, copied):
        folder = copied("lm-eval")
        samples = only(folder, "samples_colours*")
        cut_last_line(samples)
        with pytest.raises(IncompleteResults, match=f"{samples} has 8 documents, but the results are of 9"):
            read_results(folder, task="colours")

    def test_rows_are_cut_short(self, copied):
        folder = copied("nel")
        cut_last_line(only(folder, "results.jsonl"))
        with pytest.raises(IncompleteResults, match="has 17 rows, but the bundle counts 18"):
            read_results(folder)

    def test_samples_of_another_run(self, copied, recorded):
        folder = copied("lm-eval")
        other = only(recorded("lm-eval", "worse"), "samples_colours*")
        only(folder, "samples_colours*").write_bytes(other.read_bytes())
        with pytest.raises(
            IncompleteResults, match="the mean of acc,none is .*, but .* in the results: .* another run"
        ):
            read_results(folder, task="colours")

    def test_details_of_another_run(self, copied, recorded):
        folder = copied("lighteval")
        other = only(recorded("lighteval", "worse"), "*.parquet")
        only(folder, "*.parquet").write_bytes(other.read_bytes())
        with pytest.raises(IncompleteResults, match="the mean of em is 0.333333, but 0.666667 in the results"):
            read_results(folder)

    @pytest.mark.parametrize("status", ["started", "cancelled", "error", None])
    def test_a_task_that_did_not_end_well(self, tmp_path, status):
        with pytest.raises(IncompleteResults, match=f"the task has the status {status!r}"):
            read_results(log(tmp_path, status=status))

    def test_a_log_that_was_marked_as_invalid(self, tmp_path):
        with pytest.raises(IncompleteResults, match="someone has marked the log as invalid"):
            read_results(log(tmp_path, invalidated=True))

    def test_samples_are_missing(self, tmp_path):
        with pytest.raises(IncompleteResults, match="there are 2 samples, but the task had 3"):
            read_results(log(tmp_path, results={"total_samples": 3}))

    def test_a_sample_is_there_twice(self, tmp_path):
        with pytest.raises(IncompleteResults, match="sample 1 is there twice in epoch 1"):
            read_results(log(tmp_path, samples=[{"id": 1, "epoch": 1, "scores": {}}] * 2))

    def test_a_document_is_there_twice(self, copied):
        folder = copied("lighteval")
        edit_details(folder, lambda row: row["doc"].update(id="3"))
        with pytest.raises(IncompleteResults, match=r"\.parquet: document '3' is there twice"):
            read_results(folder)

    def test_a_problem_is_there_twice(self, copied):
        folder = copied("nel")
        edit(only(folder, "results.jsonl"), lambda row: row | {"problem_idx": 0, "repeat": 0})
        with pytest.raises(IncompleteResults, match="problem 0 is there twice in repeat 0"):
            read_results(folder)


class TestAgainstTheEvaluatorsOwnScores:
    """What the rows do not support is no score."""

    @pytest.mark.parametrize("wrong", [None, [1], "Paris"])
    def test_a_mean_that_no_document_of_lm_eval_has_a_value_of(self, copied, wrong):
        folder = copied("lm-eval")
        edit(only(folder, "samples_trivia*"), lambda row: row | {"exact_match": wrong})
        with pytest.raises(IncompleteResults, match="no row has a value of exact_match,strict, but the results have"):
            read_results(folder, task="trivia")

    def test_a_filter_has_no_lines(self, copied):
        folder = copied("lm-eval")
        samples = only(folder, "samples_trivia*")
        lines = [line for line in samples.read_text().splitlines() if json.loads(line)["filter"] != "strict"]
        samples.write_text("\n".join(lines))
        with pytest.raises(IncompleteResults, match="no row has a value of exact_match,strict"):
            read_results(folder, task="trivia")

    def test_a_document_lacks_the_line_of_a_filter(self, copied):
        folder = copied("lm-eval")
        samples = only(folder, "samples_trivia*")
        samples.write_text("\n".join(samples.read_text().splitlines()[1:]))
        with pytest.raises(IncompleteResults, match="document 0 lacks filter strict"):
            read_results(folder, task="trivia")

    def test_a_mean_without_a_word_for_how_it_is_made(self, copied):
        folder = copied("lm-eval")
        edit(only(folder, "results_*.json"), lambda data: data["configs"]["trivia"].update(metric_list=None))
        read = read_results(folder, task="trivia").aggregate
        assert [s.name for s in read.scores] == ["strict", "last-word", "bleu,strict", "bleu,last-word"]
        edit(only(folder, "results_*.json"), lambda data: data["results"]["trivia"].update({"exact_match,strict": 0.9}))
        with pytest.raises(IncompleteResults, match="the mean of exact_match,strict is 0.666667, but 0.9"):
            read_results(folder, task="trivia")

    def test_a_score_of_all_that_is_made_of_numbers_is_one_more(self, copied):
        folder = copied("lm-eval")
        listed = [{"metric": "exact_match", "aggregation": "perplexity"}]
        edit(only(folder, "results_*.json"), lambda data: data["configs"]["trivia"].update(metric_list=listed))
        edit(only(folder, "results_*.json"), lambda data: data["results"]["trivia"].update({"exact_match,strict": 0.9}))
        read = read_results(folder, task="trivia").aggregate
        assert (read.get("exact_match", "strict").mean, read.get("exact_match", "strict").count) == (6 / 9, 9)
        assert read.get("exact_match", "exact_match,strict of all").mean == 0.9

    def test_a_perplexity_is_no_mean_though_the_configuration_does_not_say_so(self, copied):
        """As of a task of likelihoods that lists no metrics; lm-eval 0.4.13 writes null then."""
        folder = copied("lm-eval")
        edit(only(folder, "samples_colours*"), lambda row: row | {"metrics": ["perplexity"], "perplexity": -2.0})
        edit(only(folder, "results_*.json"), lambda data: data["configs"]["colours"].update(metric_list=None))
        edit(
            only(folder, "results_*.json"),
            lambda data: data["results"].update(colours={"perplexity,none": math.exp(2)}),
        )
        read = read_results(folder, task="colours").aggregate
        assert {s.name: s.mean for s in read.scores} == {"perplexity": -2, "perplexity,none of all": math.exp(2)}

    @pytest.mark.parametrize("wrong", [math.nan, None, "1.0"])
    def test_a_mean_that_no_document_of_lighteval_has_a_value_of(self, copied, wrong):
        folder = copied("lighteval")
        edit_details(folder, lambda row: row["metric"].update(f1=wrong))
        with pytest.raises(IncompleteResults, match="no row has a value of f1, but the results have 0.666667"):
            read_results(folder)

    def test_a_score_of_all_beside_documents_without_a_number_has_another_name(self, copied):
        folder = copied("lm-eval")
        listed = [{"metric": "exact_match", "aggregation": "own"}]
        edit(only(folder, "results_*.json"), lambda data: data["configs"]["trivia"].update(metric_list=listed))
        edit(only(folder, "samples_trivia*"), lambda row: row | {"exact_match": "Paris"})
        read = read_results(folder, task="trivia").aggregate
        assert read.get("exact_match", "exact_match,strict of all").mean == 6 / 9
        assert read.get("exact_match", "strict").nan_count == 9

    def test_rows_of_another_run_beside_a_bundle(self, copied, recorded):
        folder = copied("nel")
        other = only(recorded("nel", "worse"), "results.jsonl")
        only(folder, "results.jsonl").write_bytes(other.read_bytes())
        with pytest.raises(IncompleteResults, match="results.jsonl: the mean of reward is 0.333333, but 0.666667 in"):
            read_results(folder)

    def test_a_scorer_s_name_does_not_hide_the_reward(self, copied):
        folder = copied("nel")
        edit(only(folder, "results.jsonl"), lambda row: row | {"scorer_rewards": {"reward": 0.25}})
        assert read_results(folder).aggregate.get("reward").mean == 0.75

    @pytest.mark.parametrize("reducer", [None, "mean"])
    def test_samples_of_another_run_in_a_log(self, tmp_path, reducer):
        found = {"total_samples": 2, "scores": [own_mean(0.5, reducer=reducer)]}
        assert read_results(log(tmp_path, results=found)).aggregate.get("match").mean == 0.5
        found = {"total_samples": 2, "scores": [own_mean(0.75, reducer=reducer)]}
        with pytest.raises(IncompleteResults, match="the mean of match is 0.5, but 0.75 in the results"):
            read_results(log(tmp_path, results=found))

    def test_a_log_counts_other_samples(self, tmp_path):
        found = {"total_samples": 2, "scores": [own_mean(0.5, scored_samples=3)]}
        with pytest.raises(IncompleteResults, match="2 samples have a value of match, but the log counts 3"):
            read_results(log(tmp_path, results=found))

    def test_epochs_are_reduced_before_the_mean_or_not_at_all(self, tmp_path):
        values = [(1, 1, "C"), (1, 2, "C"), (2, 1, "I")]
        samples = [{"id": n, "epoch": e, "scores": {"match": {"value": v}}} for n, e, v in values]
        for mean, counted in ((0.5, 2), (2 / 3, 3)):
            found = {"total_samples": 3, "scores": [own_mean(mean, scored_samples=counted)]}
            read = read_results(log(tmp_path, samples=samples, results=found))
            assert read.aggregate.get("match").mean == pytest.approx(2 / 3)
        found = {"total_samples": 3, "scores": [own_mean(0.9, scored_samples=3)]}
        with pytest.raises(IncompleteResults, match="the mean of match is"):
            read_results(log(tmp_path, samples=samples, results=found))

    @pytest.mark.parametrize("changes", [{"reducer": "max"}, {"params": {"to_float": "own"}}, {"metric": "of_mine"}])
    def test_other_metrics_of_a_log_are_no_means(self, tmp_path, changes):
        found = {"total_samples": 2, "scores": [own_mean(0.75, **changes)]}
        assert read_results(log(tmp_path, results=found)).aggregate.get("match").mean == 0.5


class TestUnscoredLogs:
    def test_all_samples_failed(self, tmp_path):
        samples = [{"id": n, "epoch": 1, "error": "no server"} for n in (1, 2)]
        found = read_results(log(tmp_path, samples=samples, results=None))
        score = found.aggregate.get("match")
        assert (score.count, score.nan_count, score.mean) == (0, 2, None)
        verdict = evaluate([Threshold("match", at_least=0.0)], found)
        assert (verdict.outcome, verdict.passed) == ("fail", False)

    def test_no_results_though_samples_did_not_fail(self, tmp_path):
        with pytest.raises(IncompleteResults, match="the log has no results: its samples were not scored"):
            read_results(log(tmp_path, results=None))

    def test_no_sample_has_a_score(self, tmp_path):
        samples = [{"id": 1, "epoch": 1, "scores": None}, {"id": 2, "epoch": 1, "error": "no server"}]
        with pytest.raises(IncompleteResults, match='no row of "t" has a score'):
            read_results(log(tmp_path, samples=samples))


class TestValues:
    @pytest.mark.parametrize(
        ("value", "scores"),
        [
            ("yes", {"match": 1}),
            ("False", {"match": 0}),
            ("0.25", {"match": 0.25}),
            (True, {"match": 1}),
            ([1, "C"], {"match[0]": 1, "match[1]": 1}),
            ({"a": "P", "b": 3}, {"a": 0.5, "b": 3}),
        ],
    )
    def test_values_are_numbers_as_inspect_ai_takes_them(self, tmp_path, value, scores):
        samples = [{"id": 1, "epoch": 1, "scores": {"match": {"value": value}}}]
        (found,) = read_runs(log(tmp_path, samples=samples, results={"total_samples": 1}))
        assert found.rows[0].metrics == {"match": scores}

    @pytest.mark.parametrize("value", ["good", None, "nan", 10**400])
    def test_what_is_no_number_counts_as_none(self, tmp_path, value):
        samples = [{"id": 1, "epoch": 1, "scores": {"match": {"value": value}}}]
        score = read_results(log(tmp_path, samples=samples, results={"total_samples": 1})).aggregate.get("match")
        assert (score.count, score.nan_count, score.mean) == (0, 1, None)

    def test_a_score_of_a_sample_that_failed_is_no_evidence(self, tmp_path):
        samples = [{"id": 1, "epoch": 1, "error": {"message": "no"}, "scores": {"match": {"value": 0}}}]
        (found,) = read_runs(log(tmp_path, samples=samples, results={"total_samples": 1}))
        assert found.rows[0].inference_error == "no"
        assert found.aggregate.get("match").nan_count == 1

    def test_a_judge_that_failed_is_no_zero(self, copied):
        folder = copied("nel")
        edit(only(folder, "results.jsonl"), lambda r: r["scoring_details"].update(judge={"error": "no judge"}))
        found = read_runs(folder)[0]
        assert found.rows[0].metric_errors == {"reward": "no judge"}
        assert found.rows[0].inference_error is None
        assert found.aggregate.get("reward").nan_count == 18

    @pytest.mark.parametrize(
        ("details", "told"),
        [
            ({"judge": {"score": 0, "normalized": 0.0, "raw": "??", "parse_error": True}}, "no score was found in"),
            ({"needs_judge": True}, "no judge has scored it"),
            ({"needs_judge": False, "judge": {}}, "no judge has scored it"),
            ({"needs_judge": False, "judge": None}, "no judge has scored it"),
            ({"needs_judge": False, "judge": {"scores": {}, "total": None}}, "the judge gave no total"),
        ],
    )
    def test_a_judge_that_gave_no_score_is_no_zero(self, copied, details, told):
        folder = copied("nel")
        edit(only(folder, "results.jsonl"), lambda row: row["scoring_details"].update(details))
        found = read_runs(folder)[0]
        assert found.rows[0].metric_errors["reward"].startswith(told)
        assert (found.aggregate.get("reward").count, found.aggregate.get("reward").nan_count) == (0, 18)

    @pytest.mark.parametrize("judge", [{"normalized": 0.0}, {"total": 0.5}, {"grade": "A"}])
    def test_what_a_judge_has_scored_is_a_score(self, copied, judge):
        folder = copied("nel")
        edit(only(folder, "results.jsonl"), lambda r: r["scoring_details"].update(needs_judge=False, judge=judge))
        assert read_results(folder).aggregate.get("reward").count == 16

    @pytest.mark.parametrize("failed", [{"error": "no"}, {"parse_error": True, "raw": "no"}])
    def test_a_scorer_that_failed_is_no_zero(self, copied, failed):
        folder = copied("nel")
        change = {"scorer_rewards": {"scorer:x": 0.0}, "scoring_details": {"scorer:x": {"reward": 0.0} | failed}}
        edit(only(folder, "results.jsonl"), lambda row: row | change)
        found = read_runs(folder)[0]
        assert "no" in found.rows[0].metric_errors["scorer:x"]
        assert found.aggregate.get("scorer:x").nan_count == 18

    def test_rows_that_a_resumed_run_has_taken_from_the_first(self, copied):
        folder = copied("nel")

        def resumed(row):
            row["scoring_details"]["scorer:x"] = {"correct": True, "reward": 1.0}
            del row["scorer_rewards"]
            if row["problem_idx"] > 4:
                row["scorer_rewards"] = {"scorer:x": 1.0}

        edit(only(folder, "results.jsonl"), resumed)
        score = read_results(folder).aggregate.get("scorer:x")
        assert (score.count, score.nan_count, score.mean) == (16, 2, 1)

    def test_a_failure_that_is_the_model_s_own_stays_zero(self, copied):
        folder = copied("nel")
        change = {"scoring_details": {"error": "no turns left", "error_category": "graceful"}, "reward": 0.0}
        edit(only(folder, "results.jsonl"), lambda row: row | change)
        edit(only(folder, "eval-*"), lambda data: data["benchmark"]["scores"]["summary"].update(mean=0.0))
        assert read_results(folder).aggregate.get("reward").count == 18

    def test_a_score_needs_a_name(self, copied):
        folder = copied("nel")
        edit(only(folder, "results.jsonl"), lambda row: row | {"scorer_rewards": {"": 1.0}})
        with pytest.raises(IncompleteResults, match="expected a name of a metric and of its score, found ..., ..."):
            read_results(folder)

    def test_further_scorers_are_scores(self, copied):
        folder = copied("nel")
        change = {"scorer_rewards": {"scorer:exact": 1.0}, "scoring_details": {"scorer:exact": {"correct": True}}}
        edit(only(folder, "results.jsonl"), lambda row: row | change)
        assert read_results(folder).aggregate.get("scorer:exact").mean == 1

    def test_a_filter_is_there_twice(self, copied):
        folder = copied("lm-eval")
        samples = only(folder, "samples_colours*")
        samples.write_text(samples.read_text() * 2)
        with pytest.raises(IncompleteResults, match='document 0: filter "none" stands there twice'):
            read_results(folder, task="colours")

    def test_two_documents_with_one_number(self, copied):
        folder = copied("lm-eval")
        edit(only(folder, "samples_colours*"), lambda row: row | {"doc_id": 0})
        with pytest.raises(IncompleteResults, match="there are two documents 0"):
            read_results(folder, task="colours")

    def test_numbers_that_the_harness_has_written_as_texts(self, copied):
        folder = copied("lm-eval")
        edit(only(folder, "samples_colours*"), lambda row: row | {"acc": str(row["acc"])})
        assert read_results(folder, task="colours").aggregate.get("acc").mean == pytest.approx(8 / 9)


class TestSizes:
    def test_a_zip_bomb(self, tmp_path, monkeypatch):
        monkeypatch.setattr(
            "airflow_provider_benchmarks.scores.results_files.inspect_archive.MAX_DOCUMENT_BYTES", 10_000
        )
        with zipfile.ZipFile(tmp_path / "a.eval", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("header.json", b" " * 1_000_000)
        with pytest.raises(IncompleteResults, match="a.eval: it is larger than 10,000 bytes"):
            read_results(tmp_path)

    def test_a_bomb_that_is_packed_with_zstd(self, recorded, monkeypatch):
        monkeypatch.setattr(
            "airflow_provider_benchmarks.scores.results_files.inspect_archive.MAX_DOCUMENT_BYTES", 1_000
        )
        with pytest.raises(IncompleteResults, match="eval: it is larger than 1,000 bytes"):
            read_results(recorded("inspect_ai"))

    @pytest.mark.parametrize("member", ["header.json", "summaries.json"])
    def test_memory_of_a_log(self, tmp_path, member):
        with zipfile.ZipFile(tmp_path / "a.eval", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name in ("header.json", "summaries.json"):
                archive.writestr(name, b"[" + b"[]," * 8_000_000 + b"1]" if name == member else "{}")
        with pytest.raises(IncompleteResults, match="a.eval: its values would take more than 1,073,741,824 bytes"):
            read_results(tmp_path)

    def test_memory_of_a_document(self, tmp_path):
        (tmp_path / "results_a.json").write_bytes(b'{"a":[' + b"{}," * 5_000_000 + b"1]}")
        with pytest.raises(IncompleteResults, match="its values would take more than 1,073,741,824 bytes of memory"):
            read_results(tmp_path)

    def test_memory_of_a_line(self, copied):
        folder = copied("lm-eval")
        samples = only(folder, "samples_trivia*")
        samples.write_bytes(b'{"x":[' + b"[]," * 4_000_000 + b"1]}\n" + samples.read_bytes())
        with pytest.raises(IncompleteResults, match="line 1: its values would take more than 536,870,912 bytes"):
            read_results(folder, task="trivia")

    @pytest.mark.parametrize("tool", ["lm-eval", "nel", "lighteval"])
    def test_memory_of_all_rows(self, recorded, monkeypatch, tool):
        monkeypatch.setattr(json_size, "MAX_KEPT_VALUE_BYTES", 5000)
        with pytest.raises(IncompleteResults, match="its rows would take more than 5,000 bytes of memory"):
            read_results(recorded(tool), task="trivia" if tool == "lm-eval" else None)

    @pytest.mark.parametrize("value", ["\ud800", 10**400, float("nan")])
    def test_memory_of_odd_values(self, monkeypatch, value):
        monkeypatch.setattr(json_size, "MAX_KEPT_VALUE_BYTES", 2000)
        kept = json_size.KeptValues()
        kept.add({"a": value})
        with pytest.raises(IncompleteResults, match="more than 2,000 bytes"):
            kept.add([[value] for _ in range(20)])

    def test_honest_logs_are_far_below(self, recorded):
        _, samples = unpack(ResultFile(fsspec.filesystem("file"), str(only(recorded("inspect_ai"), "*.eval")), "log"))
        each = json_size.value_bytes(json.dumps(samples).encode()) / len(samples)
        assert 50_000 * each < json_size.MAX_DOCUMENT_VALUE_BYTES / 2

    def test_rows_of_details(self, recorded, monkeypatch):
        monkeypatch.setattr("airflow_provider_benchmarks.scores.results_files.lighteval_details._BATCH_BYTES", 100)
        with pytest.raises(IncompleteResults, match="128 documents are larger than 100 bytes"):
            read_results(recorded("lighteval"))

    @pytest.mark.parametrize(
        ("limit", "told"),
        [("MAX_LINE_BYTES", "line 1 is longer than 100 bytes"), ("MAX_LINES_BYTES", "larger than 100")],
    )
    def test_lines(self, recorded, monkeypatch, limit, told):
        monkeypatch.setattr(files, limit, 100)
        with pytest.raises(IncompleteResults, match=f"results.jsonl: .*{told}"):
            read_results(recorded("nel"))

    def test_a_document(self, recorded, monkeypatch):
        monkeypatch.setattr(files, "MAX_DOCUMENT_BYTES", 100)
        with pytest.raises(IncompleteResults, match="eval-.*json: it is larger than 100 bytes"):
            read_results(recorded("nel"))

    def test_details(self, recorded, monkeypatch):
        monkeypatch.setattr("airflow_provider_benchmarks.scores.results_files.lighteval_details.MAX_LINES_BYTES", 100)
        with pytest.raises(IncompleteResults, match="parquet: it is larger than 100 bytes"):
            read_results(recorded("lighteval"))

    def test_rows(self, recorded, monkeypatch):
        monkeypatch.setattr(run, "MAX_ROWS", 5)
        with pytest.raises(IncompleteResults, match="there are more than 5 rows"):
            read_results(recorded("inspect_ai"))

    def test_depth(self, tmp_path):
        (tmp_path / "results_x.json").write_text('{"a":' + "[" * 100_000)
        with pytest.raises(IncompleteResults, match="results_x.json"):
            read_results(tmp_path)


@pytest.mark.parametrize("content", [b"PK\x03\x04 and no more", b'{"eval": {}, "status": "error"}'])
def test_damage_has_one_type_that_logs_show(tmp_path, content):
    (tmp_path / "a.eval").write_bytes(content)
    with pytest.raises(IncompleteResults, match=f"^{tmp_path}/a.eval[: ]") as caught:
        read_results(tmp_path)
    assert type(caught.value) is IncompleteResults
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert str(caught.value).count("a.eval") == 1


def use(found):
    """What is made of a run, in memory and in a score store."""
    assert found.scores().rows is not None
    for part in (found.aggregate.to_json(), found.version, found.job, found.benchmark, found.content):
        json.dumps(part, allow_nan=False)
    found.benchmark.encode()


def must_name(folder, error):
    assert str(folder) in str(error)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut, or overwrite a part."""
    place = rng.randrange(len(content))
    if rng.random() < 0.3:
        return content[:place]
    size = rng.randrange(1, 20)
    return content[:place] + rng.randbytes(size) + content[place + size :]


@pytest.mark.parametrize("tool", TOOLS)
def test_damage_anywhere_is_an_error_of_this_package_or_none(copied, tool):
    rng = random.Random(7)
    folder = copied(tool)
    contents = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for _ in range(60):
        path = rng.choice(sorted(contents))
        path.write_bytes(damaged(contents[path], rng))
        try:
            for each in read_runs(folder):
                use(each)
        except BenchmarkError as error:
            must_name(folder, error)
        path.write_bytes(contents[path])


def test_a_damaged_archive_is_an_error_and_no_other_scores(copied):
    """Frames of zstd have no checksum; the archive has one of each member."""
    path = only(copied("inspect_ai"), "*.eval")
    content, good = path.read_bytes(), read_results(path).aggregate
    member = zipfile.ZipFile(path).getinfo("summaries.json")
    start = member.header_offset + 30 + len(member.filename)
    refused = 0
    for place in range(start, start + member.compress_size, 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            assert read_results(path).aggregate == good
        except IncompleteResults as error:
            refused += 1
            must_name(path, error)
    assert refused > member.compress_size / 5 * 0.9


@pytest.mark.parametrize("by", [5, 200, 10**6, 2**31])
def test_an_archive_that_leads_to_a_place_outside_of_it(copied, by):
    path = only(copied("inspect_ai"), "*.eval")
    content = bytearray(path.read_bytes())
    place = content.rfind(b"PK\x05\x06") + 16
    (offset,) = struct.unpack_from("<I", content, place)
    struct.pack_into("<I", content, place, offset + by)
    path.write_bytes(content)
    with pytest.raises(IncompleteResults, match=f"{path}.* damaged"):
        read_results(path)


def test_a_member_of_another_size_is_an_error(copied):
    path = only(copied("inspect_ai"), "*.eval")
    member = zipfile.ZipFile(path).getinfo("summaries.json")
    content, sizes = path.read_bytes(), struct.pack("<III", member.CRC, member.compress_size, member.file_size)
    other = struct.pack("<III", member.CRC, member.compress_size, member.file_size + 1)
    path.write_bytes(content.replace(sizes, other))
    with pytest.raises(IncompleteResults, match="summaries.json in the archive is damaged: its size or its checksum"):
        read_results(path)


WRONG = [None, 1, -1, 1e400, "x", "", [], [1], {}, {"a": 1}, True, 10**400, "\ud800"]


@pytest.mark.parametrize("tool", ["lm-eval", "nel"])
def test_wrong_types_anywhere_are_an_error_of_this_package_or_none(copied, tool):
    """Each field of each document, with each of the wrong values."""
    folder = copied(tool)
    for path in [path for path in folder.rglob("*.json*") if path.is_file()]:
        content = path.read_text()
        first = json.loads(content.splitlines()[0] if path.suffix == ".jsonl" else content)
        for key in first:
            for wrong in WRONG:
                edit(path, lambda document, key=key, wrong=wrong: document | {key: wrong})
                try:
                    for each in read_runs(folder):
                        use(each)
                except BenchmarkError as error:
                    must_name(folder, error)
                path.write_text(content)


def test_wrong_types_in_a_log_are_an_error_of_this_package_or_none(tmp_path):
    good = json.loads(log(tmp_path).read_text())
    for where in ("", "eval", "samples"):
        part = good["samples"][0] if where == "samples" else good[where] if where else good
        for key in part:
            for wrong in WRONG:
                changed = part | {key: wrong}
                changes = {"samples": [changed, good["samples"][1]]} if where == "samples" else {where: changed}
                try:
                    path = log(tmp_path, **(changes if where else changed))
                    for each in read_runs(path):
                        use(each)
                except BenchmarkError as error:
                    must_name(tmp_path, error)
