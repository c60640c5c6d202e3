"""The rows that a report shows are those that changed, with both answers, whatever their row indices are."""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_benchmarks.gates import NoRegression
from airflow_provider_benchmarks.gates.run import run_gate
from airflow_provider_benchmarks.gates.sources import FolderSource
from airflow_provider_benchmarks.store import Place, RowFormat, store_rows
from airflow_provider_benchmarks.views import html_page
from tests.support.page_texts import texts_of

ROWS = 30
FORMATS = ["jsonl", "parquet"]


def folder(path, values, *, item, sample, index=lambda i: i, row_format="jsonl"):
    """The scores of a job with two metrics of the same values."""
    path.mkdir()
    rows = [
        {
            "row_index": i,
            "item": item(i),
            "sample": sample(i),
            "metrics": {metric: [{"name": "s", "value": value}] for metric in ("w/m", "w/n")},
        }
        for i, value in enumerate(values)
    ]
    score = {"name": "s", "count": len(values), "nan_count": 0}
    scores = {"results": [{"metric": metric, "scores": [score]} for metric in ("w/m", "w/n")]}
    (path / "aggregate-scores.json").write_text(json.dumps(scores))
    file = path / f"row-scores.{row_format}"
    if row_format == "parquet":
        lines = [json.dumps(row).encode() + b"\n" for row in rows]
        store_rows(lines, Place(str(file)), row_format=RowFormat(name="parquet", with_sample=True))
        table = pq.read_table(file)
        place = table.schema.get_field_index("row_index")
        indices = pa.array([index(i) for i in range(len(rows))], table.schema.field(place).type)
        pq.write_table(table.set_column(place, table.schema.field(place), indices), file)
    else:
        file.write_text("\n".join(json.dumps({**row, "row_index": index(row["row_index"])}) for row in rows))
    return str(path)


def judged(checks, candidate, baseline):
    source = FolderSource(checks=checks, candidate_path=candidate, baseline_paths={"": baseline})
    verdict = run_gate(checks, source, in_full=True)
    return verdict, html_page(verdict)


def fallen(*places):
    return [0.0 if i in places else 1.0 for i in range(ROWS)]


@pytest.fixture(params=FORMATS)
def two_jobs(request, tmp_path):
    """Write a candidate whose rows at some places fell, and its baseline."""

    def write(*places, item, baseline_item=None, samples=("THEIRS", "MINE"), index=lambda i: i):
        def job(name, values, item, tag):
            def sample(i):
                return {"output_text": f"{tag}{i:02d}"} if tag else {}

            where = tmp_path / name
            return folder(where, values, item=item, sample=sample, index=index, row_format=request.param)

        candidate = job("candidate", fallen(*places), item, samples[1])
        return candidate, job("baseline", fallen(), baseline_item or item, samples[0])

    return write


def test_rows_that_share_an_index_are_shown_with_their_own_item_or_none(two_jobs):
    jobs = two_jobs(5, 6, 21, item=lambda i: {"id": f"id{i:02d}", "q": f"q{i:02d}"}, index=lambda i: i % 15)
    verdict, page = judged([NoRegression("m", key="id", mode="prove")], *jobs)
    assert [(row["row_index"], row["item"]["id"]) for row in verdict.worst] == [(5, "id05"), (6, "id06"), (6, "id21")]
    assert set(re.findall(r"(?:id|MINE|THEIRS)\d\d", page)) == {"id05", "id06", "id21"}
    assert "its row index comes twice" in page
    assert [re.search(r"id\d\d", line)[0] for line in verdict.to_table().splitlines()[-3:]] == ["id05", "id06", "id21"]


def test_checks_with_other_keys_show_the_row_that_each_has_compared(two_jobs):
    jobs = two_jobs(
        3,
        item=lambda i: {"a": i, "b": (i + 10) % ROWS},
        baseline_item=lambda i: {"a": i, "b": i},
    )
    checks = [NoRegression("m", key="a", mode="prove"), NoRegression("n", key="b", mode="prove")]
    _, page = judged(checks, *jobs)
    by_a, by_b = re.split(r"row 3 w/[mn]/s", texts_of(page).split("Rows that got worse most")[1])[1:]
    assert set(re.findall(r"(?:MINE|THEIRS)\d\d", by_a)) == {"MINE03", "THEIRS03"}
    assert set(re.findall(r"(?:MINE|THEIRS)\d\d", by_b)) == {"MINE03", "THEIRS13"}


@pytest.mark.parametrize(
    ("samples", "note"),
    [(("SAME", "SAME"), "Both jobs have the same answer"), (("", ""), "kept without the answers of the model")],
)
def test_a_note_says_why_no_answers_stand_side_by_side(two_jobs, samples, note):
    _, page = judged([NoRegression("m", mode="prove")], *two_jobs(3, item=lambda i: {"id": i}, samples=samples))
    notes = ("Both jobs have the same answer", "kept without the answers of the model", "was not read")
    assert [each for each in notes if each in page] == [note]
    assert ("SAME03" in page) == ("SAME" in samples)


def test_an_output_with_the_name_of_a_field_hides_none(two_jobs):
    item = {"output_text": "FIELD", "sample.output_text": "LONG"}
    _, page = judged([NoRegression("m", key="id", mode="prove")], *two_jobs(3, item=lambda i: {"id": i, **item}))
    text = texts_of(page).split("Rows that got worse most")[1]
    for shown in ("output_text FIELD", "sample.output_text LONG", "sample.sample.output_text MINE03", "THEIRS03"):
        assert shown in text
