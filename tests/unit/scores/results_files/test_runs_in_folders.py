"""A run in a folder is never left out in silence: an earlier one would be judged in its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.scores import read_results
from airflow_provider_benchmarks.scores.results_files import read_runs
from airflow_provider_benchmarks.scores.results_files.files import find_results
from airflow_provider_benchmarks.scores.results_files.inspect_archive import unpack

RESULTS = {"lm-eval": "results_*.json", "inspect_ai": "*.eval", "nel": "eval-*.json", "lighteval": "results_*.json"}
SEVERAL = "several runs of benchmark|the results of 2 benchmarks"


def only(folder, pattern):
    (found,) = Path(folder).rglob(pattern)
    return found


@pytest.fixture
def later(copied):
    """The file of results of a later run in the folder of an earlier one; and the folder."""

    def copy(tool):
        folder, other = copied(tool), copied(tool, "worse")
        results = folder / "later" / only(other, RESULTS[tool]).relative_to(other)
        shutil.move(other, folder / "later")
        return results, folder

    return copy


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("tool", RESULTS)
class TestLaterRuns:
    def test_one_that_is_whole(self, later, tool, named):
        _, folder = later(tool)
        with pytest.raises(ConfigurationError, match=SEVERAL):
            read_results(folder, tool if named else "auto", task="trivia" if tool == "lm-eval" else None)

    def test_an_empty_file(self, later, tool, named):
        results, folder = later(tool)
        results.write_bytes(b"")
        with pytest.raises(
            IncompleteResults, match=f"later/.*{results.name}: it is empty, and may be a run that was cut"
        ):
            read_results(folder, tool if named else "auto", task="trivia")

    @pytest.mark.parametrize("content", [bytes(500), b"[]", b"not JSON", b'{"a": 1}'])
    def test_something_else(self, later, tool, named, content):
        results, folder = later(tool)
        results.write_bytes(content)
        with pytest.raises(
            IncompleteResults, match=f"{results.name}: it has a name of results of .*, but something else"
        ):
            read_results(folder, tool if named else "auto", task="trivia")

    def test_one_that_is_cut_short(self, later, tool, named):
        results, folder = later(tool)
        results.write_bytes(results.read_bytes()[:300])
        with pytest.raises(IncompleteResults, match=f"{results.name} can't be read"):
            read_results(folder, tool if named else "auto", task="trivia")

    def test_one_in_deep_folders(self, later, tool, named):
        _, folder = later(tool)
        deep = folder.joinpath(*"abcdefgh")
        deep.parent.mkdir(parents=True)
        (folder / "later").rename(deep)
        with pytest.raises(ConfigurationError, match=SEVERAL):
            read_results(folder, tool if named else "auto", task="trivia" if tool == "lm-eval" else None)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("tool", ["lm-eval", "nel", "lighteval"])
def test_only_the_rows_of_a_later_run(later, tool, named):
    results, folder = later(tool)
    results.unlink()
    with pytest.raises(IncompleteResults, match="has rows of a run of .* whose file of results is not there"):
        read_results(folder, tool if named else "auto", task="trivia")


class TestLmEval:
    @pytest.mark.parametrize("missing", ["n-shot", "n-samples", "versions"])
    def test_results_without_a_part(self, later, missing):
        results, folder = later("lm-eval")
        data = json.loads(results.read_text())
        del data[missing]
        results.write_text(json.dumps(data))
        with pytest.raises(IncompleteResults, match=f'expected an object as "{missing}"'):
            read_runs(folder)

    def test_results_of_no_task(self, later):
        results, folder = later("lm-eval")
        results.write_text(json.dumps(json.loads(results.read_text()) | {"configs": {}, "results": {}}))
        for path in (folder, results):
            with pytest.raises(IncompleteResults, match=f"{results}: it has the results of no task"):
                read_runs(path)

    def test_another_name_before_the_date(self, later):
        results, folder = later("lm-eval")
        renamed = results.with_name(results.name.replace("results_", "nightly_"))
        results.rename(renamed)
        with pytest.raises(ConfigurationError, match="several runs"):
            read_runs(folder)
        shutil.rmtree(next(path for path in folder.iterdir() if path.name != "later"))
        assert {run.task for run in read_runs(folder)} == {"trivia", "colours"}


class TestInspectAi:
    def as_json(self, path, name):
        """Write an archive as a log in JSON."""
        _, (file,) = find_results(path)
        header, samples = unpack(file)
        path.unlink()
        path.with_name(name).write_text(json.dumps(header | {"samples": samples}))

    @pytest.mark.parametrize("format", ["auto", "inspect_ai"])
    @pytest.mark.parametrize("name", ["2026-11-28T07-50-40-00-00_trivia_K.json", "mine.json"])
    def test_logs_in_json(self, later, recorded, name, format):
        results, folder = later("inspect_ai")
        self.as_json(results, name)
        with pytest.raises(ConfigurationError, match="several runs"):
            read_results(folder, format)
        assert read_results(results.parent, format).aggregate == read_results(recorded("inspect_ai", "worse")).aggregate

    def test_a_log_without_samples(self, later):
        results, folder = later("inspect_ai")
        self.as_json(results, "mine.json")
        log = results.with_name("mine.json")
        data = json.loads(log.read_text())
        del data["samples"]
        log.write_text(json.dumps(data))
        with pytest.raises(IncompleteResults, match="mine.json: expected a list of samples, found None"):
            read_results(folder)

    @pytest.mark.parametrize("content", ["", "{", '{"a.eval": {"status": "success"}}', '{"eval_set_id": "x"}'])
    def test_what_the_tool_writes_beside_logs(self, copied, content):
        folder = copied("inspect_ai")
        for name in ("eval-set.json", "logs.json"):
            (folder / name).write_text(content)
        assert len(read_runs(folder)) == len(read_runs(folder, "inspect_ai")) == 1


class TestOtherFiles:
    @pytest.mark.parametrize("tool", RESULTS)
    def test_json_of_other_tools_is_left_out(self, copied, tool):
        folder = copied(tool)
        for name, content in {
            "config.json": '{"results": 1}',
            "list.json": "[1]",
            "run.yaml": "",
            "x.jsonl": "",
        }.items():
            (folder / name).write_text(content)
        assert {run.tool for run in read_runs(folder)} == {tool}

    def test_json_that_is_cut_short_may_be_a_run(self, copied):
        folder = copied("lm-eval")
        (folder / "nightly.json").write_text('{"results": {"trivia"')
        with pytest.raises(IncompleteResults, match="nightly.json can't be read"):
            read_runs(folder)

    def test_results_of_another_evaluator_with_the_same_name(self, copied):
        folder = copied("lm-eval")
        copied("lighteval").rename(folder / "lighteval")
        assert {run.tool for run in read_runs(folder, "lm-eval")} == {"lm-eval"}
        assert {run.tool for run in read_runs(folder, "lighteval")} == {"lighteval"}
        assert {run.tool for run in read_runs(folder)} == {"lm-eval", "lighteval"}

    def test_rows_of_others_that_are_called_like_those_of_nel(self, copied):
        folder = copied("inspect_ai")
        (folder / "results.jsonl").write_text('{"id": 1}')
        assert len(read_runs(folder)) == 1

    def test_rows_of_shards_below_the_bundle_they_were_merged_into(self, copied):
        folder = copied("nel")
        rows = only(folder, "results.jsonl")
        (rows.parent / "shard_0").mkdir()
        shutil.copy(rows, rows.parent / "shard_0")
        assert len(read_runs(folder)) == 1

    def test_a_link_that_leads_back(self, copied):
        folder = copied("nel")
        (folder / "back").symlink_to(folder)
        assert len(read_runs(folder)) == 1


def test_a_folder_that_can_t_be_listed(later, monkeypatch):
    """fsspec's own search leaves it out, and the run in it."""
    results, folder = later("nel")
    listed = LocalFileSystem.ls

    def ls(self, path, **options):
        if str(path) == str(results.parent):
            raise PermissionError(13, "Permission denied", path)
        return listed(self, path, **options)

    monkeypatch.setattr(LocalFileSystem, "ls", ls)
    with pytest.raises(PermissionError):
        read_runs(folder)
