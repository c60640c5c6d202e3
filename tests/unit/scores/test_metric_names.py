from __future__ import annotations

import json
import math

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.scores import AggregateScores, RowScore
from airflow_provider_benchmarks.scores.metric_names import MetricNames, checked_references
from airflow_provider_benchmarks.scores.renamed_rows import RenamedRows, renamed_line


class TestSplit:
    @pytest.mark.parametrize(
        ("name", "parts"),
        [
            ("exact-match.exact-match", ("exact-match", "exact-match")),
            ("llm-judge.quality.label", ("llm-judge", "quality.label")),
            ("other.a.b", ("other", "a.b")),  # no known key begins it: up to the first dot
            ("a.b.c", ("a.b", "c")),  # the longest key
            ("alone", ("alone", "alone")),
            ("a.", ("a.", "a.")),
            (".a", (".a", ".a")),
        ],
    )
    def test_at_the_known_key(self, name, parts):
        assert MetricNames({"exact-match": (), "llm-judge": (), "a": (), "a.b": ()}).split(name) == parts

    def test_known_scores_decide_between_two_keys(self):
        assert MetricNames({"a": ("b.c",), "a.b": ("d",)}).split("a.b.c") == ("a", "b.c")


@pytest.mark.parametrize("references", [None, [], {"a": 5}, {5: "a"}, {"": "a"}, {"a": ""}])
def test_references_that_are_none(references):
    with pytest.raises(ConfigurationError, match="must be a map such as"):
        checked_references(references)


def test_two_metrics_must_not_get_one_name():
    with pytest.raises(ConfigurationError, match="two metrics would have the same name: ws/a"):
        checked_references({"a": "ws/a", "b": "ws/a"})
    scores = AggregateScores.from_json({"scores": [{"name": "a.s", "count": 1}, {"name": "b.s", "count": 1}]})
    with pytest.raises(ConfigurationError, match="two metrics would have the same name: of a, b, renamed to b"):
        scores.renamed({"a": "b"})


PAYLOAD = {"scores": [{"name": "em.em", "count": 2, "mean": 0.5}, {"name": "judge.quality.label", "count": None}]}


class TestAggregate:
    def test_scores_that_are_named_by_metric_and_score(self):
        scores = AggregateScores.from_json(PAYLOAD, MetricNames({"judge": ()}))
        assert [(score.metric, score.name) for score in scores.scores] == [("em", "em"), ("judge", "quality.label")]
        assert (scores.get("judge").count, scores.get("judge").rows) == (None, None)

    def test_renamed(self):
        scores = AggregateScores.from_json(PAYLOAD).renamed({"em": "ws/em", "other": "ws/other"})
        assert [score.metric for score in scores.scores] == ["ws/em", "judge"]
        assert scores.get("em") is scores.get("ws/em")
        assert scores.to_frame()[["metric_ref", "name"]].values.tolist() == [
            ["ws/em", "em"],
            ["judge", "quality.label"],
        ]
        assert AggregateScores.from_json(scores.to_json()) == scores

    @pytest.mark.parametrize("payload", [{"scores": []}, {"scores": [5]}, {"scores": [{"name": ""}]}, {"scores": {}}])
    def test_scores_that_are_none(self, payload):
        with pytest.raises(IncompleteResults, match="expected"):
            AggregateScores.from_json(payload)


class TestScalars:
    def read(self, **fields):
        return AggregateScores.from_json({"scores": [{"name": "bleu.corpus", "score_type": "scalar", **fields}]})

    @pytest.mark.parametrize("count", [{}, {"count": None}])
    def test_one_number_counts_as_a_corpus_level_score(self, count):
        scores = self.read(value=0.25, **count)
        score = scores.get("bleu", "corpus")
        assert (score.value, score.mean, score.min, score.max, score.sum) == (0.25,) * 5
        assert (score.count, score.nan_count) == (1, 0)
        assert scores.get("bleu").to_record()["value"] == 0.25
        assert scores.to_frame()["value"].tolist() == [0.25]
        assert scores.has_values

    @pytest.mark.parametrize("value", [None, "NaN"])
    def test_one_without_a_number_is_no_evidence(self, value):
        scores = self.read(value=value)
        assert (scores.get("bleu").mean, scores.get("bleu").count, scores.get("bleu").nan_count) == (None, 0, 1)
        assert not scores.has_values
        json.dumps(scores.to_records(), allow_nan=False)


NAMES = {"exact-match": "ws/exact", "string-check": "ws/string"}


class TestRows:
    ROW = (
        b'{"row_index":0,"item":{"exact-match":"1e2","n":1.0,"u":"\\u2028"},"sample":{},'
        b'"metrics":{"exact-match":[{"name":"exact-match","value":0}],"other":[]},"requests":[],'
        b'"metric_errors":{"string-check":"no"},"metric_diagnostics":null}'
    )
    RENAMED = ROW.replace(b'{"exact-match":[', b'{"ws/exact":[').replace(b'{"string-check":', b'{"ws/string":')

    def test_metrics_are_renamed_and_nothing_else(self):
        assert renamed_line(self.ROW, NAMES) == self.RENAMED
        assert RowScore.from_json(self.ROW).renamed(NAMES) == RowScore.from_json(self.RENAMED)

    def test_what_is_said_of_a_metric_is_renamed_with_it(self):
        row = self.ROW.replace(b'"metric_diagnostics":null', b'"metric_diagnostics":{"exact-match":{"n":1}}')
        renamed = RowScore.from_json(row).renamed(NAMES)
        assert renamed.extra["metric_diagnostics"] == {"ws/exact": {"n": 1}}
        assert renamed == RowScore.from_json(renamed_line(row, NAMES))

    @pytest.mark.parametrize("size", [1, 7, 10_000])
    @pytest.mark.parametrize("end", [b"", b"\n"])
    def test_in_a_file_that_is_cut_anywhere(self, size, end):
        file = b"\n".join([self.ROW] * 3) + end
        pieces = [file[at : at + size] for at in range(0, len(file), size)]
        renamed = b"".join(RenamedRows(pieces, NAMES))
        assert renamed.rstrip(b"\n") == b"\n".join([self.RENAMED] * 3)

    def test_the_bare_word_nan(self):
        row = RowScore.from_json(renamed_line(b'{"metrics":{"exact-match":[{"name":"a","value":NaN}]}}\n', NAMES))
        assert math.isnan(row.metrics["ws/exact"]["a"])

    @pytest.mark.parametrize("line", [b"", b"\n", b"  \n", b"{\n", b"5\n", b'{"metrics":5}\n', b"{} {}\n", b'\xff"\n'])
    def test_what_is_no_row_is_left_for_the_reader(self, line):
        assert renamed_line(line, NAMES) == line
        file = self.ROW + b"\n" + line + self.ROW + b"\n"
        renamed = b"".join(RenamedRows([file], NAMES))
        assert renamed == self.RENAMED + b"\n" + line + self.RENAMED + b"\n"

    def test_closing_it_closes_the_file(self):
        closed = []

        class Pieces(list[bytes]):
            def close(self) -> None:
                closed.append(True)

        RenamedRows(Pieces(), NAMES).close()
        RenamedRows([], NAMES).close()
        assert closed == [True]

    def test_two_metrics_of_a_row_must_not_get_one_name(self):
        with pytest.raises(ConfigurationError, match="the same name"):
            renamed_line(self.ROW, {"exact-match": "other"})
