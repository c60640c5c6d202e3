"""The same rows give the same verdict, in whatever format each job is, and whatever pandas has done to a frame."""

from __future__ import annotations

import io
import json
import pickle
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airflow_provider_benchmarks.gates import NoRegression, Threshold, evaluate
from airflow_provider_benchmarks.gates.run import run_gate
from airflow_provider_benchmarks.gates.sources import LoadedScores, load_scores
from airflow_provider_benchmarks.scores import AggregateScores, JobScores, read_row_scores, row_scores_frame
from airflow_provider_benchmarks.scores.rows import RowScore
from airflow_provider_benchmarks.store import Place, RowFormat, store_rows
from tests.support.scored_jobs import job

BIG = 2**53
NUMBERS = st.sampled_from(
    [0, 1, -1, 1.0, -0.0, 0.1, 1e22, 10**22, 1e-7, BIG, BIG + 1, BIG + 3, float(BIG), 2**63, 10**30]
)
TEXTS = st.sampled_from(
    ["", " ", "1", "1.0", "nan", "NaN", "NULL", "null", "None", "True", "true", "[1]", '{"a": 1}', "2024-01-01", "=1",
     "'", "caf\u00e9", "cafe\u0301", "\u00df", "\U0001f600", "a\nb", "a\r\nb", "a\rb", "\ufeffa", "\u2028", "\ud800",
     "a,b", '"']
)  # fmt: skip
NESTED = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=5,
)
ABSENT = object()
#: The values of a column: of one kind, with some missing, or one that is odd among others.
COLUMN = st.sampled_from([NUMBERS, TEXTS, st.booleans(), st.integers(0, 3), NESTED, NESTED | st.just(ABSENT)])
SIZE = 12


@st.composite
def items(draw, names, column=COLUMN):
    """Items of a job, each of which is different."""
    columns = {}
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)):
        values = draw(st.lists(draw(column), min_size=SIZE, max_size=SIZE))
        for place in draw(st.lists(st.integers(0, SIZE - 1), max_size=2)):
            values[place] = draw(st.sampled_from([None, ABSENT, "odd", ["odd"], 1]))
        columns[name] = values
    return [
        {"id": i, **{name: values[i] for name, values in columns.items() if values[i] is not ABSENT}}
        for i in range(SIZE)
    ]


def rows_of(items, scores):
    return [
        {"row_index": i, "item": item, "sample": {}, "metrics": {"w/m": [{"name": "s", "value": score}]}}
        for i, (item, score) in enumerate(zip(items, scores, strict=True))
    ]


class Written:
    """A job in a file, or in a frame."""

    def __init__(self, form, items, scores):
        self.aggregate = job(scores).aggregate
        self.folder = tempfile.TemporaryDirectory()
        self.path = None
        if form in FILES or form not in FRAMES:
            self._store(form, items, scores)
        else:
            self.frame = FRAMES[form](items, scores)

    def _store(self, form, items, scores):
        form = form.removesuffix(" file")
        lines = b"\n".join(json.dumps(row).encode() for row in rows_of(items, scores))
        row_format = RowFormat(name=form.removesuffix(".gz"), compression="gzip" if form.endswith("gz") else None)
        store_rows([lines], Place(f"{self.folder.name}/row-scores.{form}"), row_format=row_format)
        Path(self.folder.name, "aggregate-scores.json").write_text(json.dumps(self.aggregate.to_json()))
        self.path = self.folder.name

    def load(self, checks):
        if self.path is None:
            return LoadedScores(JobScores(self.aggregate, self.frame))
        return load_scores(self.path, checks)


class Jobs:
    """A source of two jobs."""

    def __init__(self, checks, candidate, baseline):
        self.jobs = candidate.load(checks), baseline.load(checks)

    def candidate(self):
        return self.jobs[0]

    def baselines(self, names):
        return {"": self.jobs[1]}

    def history(self, jobs):
        return []

    def since_pin(self, jobs):
        return None

    def other_runs(self, name, runs):
        return []


def verdict(checks, candidate, baseline):
    """What must not depend on the format."""
    found = run_gate(checks, Jobs(checks, candidate, baseline)).results
    return [
        (r.outcome, r.group, r.observed, r.count, r.nan_count, r.interval, r.details.get("pairs"), r.reason)
        for r in found
    ]  # fmt: skip


def of_rows(items, scores):
    rows = [RowScore.from_json(json.dumps(row).encode()) for row in rows_of(items, scores)]
    return row_scores_frame(rows)


def by_hand(items, scores):
    return pd.DataFrame([{**item, "s": score} for item, score in zip(items, scores, strict=True)])


def robbed(frame):
    """The frame as pandas leaves it that forgets attributes."""
    frame.attrs = {}
    return frame


def halves(frame):
    half = len(frame) // 2
    return pd.concat([robbed(frame.iloc[:half].copy()), robbed(frame.iloc[half:].copy())])


def merged(frame):
    more = pd.DataFrame({"id": range(SIZE), "s": frame["s"].to_numpy()})
    return robbed(frame.drop(columns="s").merge(more, on="id", how="left"))


def through_parquet(frame):
    file = io.BytesIO()
    try:
        robbed(frame).to_parquet(file)
    except Exception:  # noqa: BLE001  Arrow has no column for such values
        assume(False)
    return pd.read_parquet(file)


def read(form):
    def frame(items, scores):
        written = Written(f"{form} file", items, scores)
        (path,) = Path(written.path).glob("row-scores.*")
        return robbed(read_row_scores(str(path)))

    return frame


FILES = ("jsonl", "jsonl.gz", "parquet")
FRAMES = {
    "frame of rows": of_rows,
    "robbed frame of rows": lambda *job: robbed(of_rows(*job)),
    "robbed frame of jsonl": read("jsonl"),
    "robbed frame of parquet": read("parquet"),
    "frame by hand": by_hand,
    "copied": lambda *job: robbed(of_rows(*job)).copy(),
    "pickled": lambda *job: pickle.loads(pickle.dumps(robbed(of_rows(*job)))),
    "in halves": lambda *job: halves(of_rows(*job)),
    "merged": lambda *job: merged(of_rows(*job)),
    "with row_index as a column": lambda *job: robbed(of_rows(*job)).reset_index(),
}
CHECKS = [
    NoRegression("m", min_count=2, max_unpaired=0.5),
    NoRegression("m", min_count=2, key="id"),
    NoRegression("m", min_count=2),
    Threshold("m", at_least=0.5, confidence=0.9),
]
NAMES = ["a", "b", "c"]
ODD_NAMES = [
    "a",
    "s",
    "w/m:s",
    "sample",
    "item.sample",
    "inference_error",
    "metric_errors",
    "__item__",
    "row_index",
    "a b",
]
SCORES = st.lists(st.sampled_from([0.0, 1.0]), min_size=SIZE, max_size=SIZE)


@settings(max_examples=40, deadline=None)
@given(
    items=items(ODD_NAMES),
    scores=SCORES,
    base=SCORES,
    other=st.sampled_from(FILES),
    form=st.sampled_from([*FILES, "frame of rows"]),
    change=st.none() | st.integers(0, SIZE - 1),
)
def test_files_agree(items, scores, base, form, other, change):
    theirs = (
        items if change is None else [{**item, "a": "changed"} if i == change else item for i, item in enumerate(items)]
    )
    wanted = verdict(CHECKS, Written("jsonl", items, scores), Written("jsonl", theirs, base))
    found = verdict(CHECKS, Written(form, items, scores), Written(other, theirs, base))
    assert found == wanted
    assert wanted[0][6] == SIZE - (change is not None and items[change].get("a") != "changed")


@settings(max_examples=80, deadline=None)
@given(
    items=items(NAMES),
    scores=SCORES,
    base=SCORES,
    one=st.sampled_from([*FRAMES]),
    other=st.sampled_from([*FRAMES, *FILES]),
)
def test_frames_agree(items, scores, base, one, other):
    assume("frame by hand" not in (one, other) or can_stand_in_a_frame(items))
    wanted = verdict(CHECKS, Written("jsonl", items, scores), Written("jsonl", items, base))
    assert wanted[0][6] == SIZE
    assert verdict(CHECKS, Written(one, items, scores), Written(other, items, base)) == wanted


def can_stand_in_a_frame(items):
    """False for values that pandas itself changes: large integers beside missing ones."""
    try:
        frame = pd.DataFrame(items)
    except UnicodeEncodeError:  # half a character
        return False
    for name in frame.columns:
        for value, item in zip(frame[name].tolist(), items, strict=True):
            given_value = item.get(name)
            if isinstance(given_value, int) and not isinstance(given_value, bool) and value != given_value:
                return False
    return True


@pytest.mark.parametrize("other", ["csv", *FILES, "frame of rows", "frame by hand"])
def test_csv_agrees_where_it_can_say_what_a_value_is(other):
    items = [
        {
            "id": i,
            "q": f"caf\u00e9 {i}\r\n",
            "x": i / 10,
            "big": BIG + i,
            "flag": i % 2 == 0,
            "late": i if i > 3 else None,
        }
        for i in range(SIZE)
    ]
    scores = [float(i % 3 > 0) for i in range(SIZE)]
    FRAMES["csv"] = read("csv")
    try:
        wanted = verdict(CHECKS, Written("jsonl", items, scores), Written("jsonl", items, [1.0] * SIZE))
        assert verdict(CHECKS, Written("csv", items, scores), Written(other, items, [1.0] * SIZE)) == wanted
    finally:
        del FRAMES["csv"]


def test_a_score_that_the_frame_does_not_list_is_no_field_of_the_items():
    """Two equal models, each with a noisy score that was added to the frame."""
    jobs = []
    for side in range(2):
        scores = JobScores(job([1.0] * SIZE).aggregate, by_hand([{"id": i} for i in range(SIZE)], [1.0] * SIZE))
        more = job([float(side), *[0.5] * (SIZE - 1)], score="t").aggregate.scores
        frame = scores.rows.assign(t=[float(side), *[0.5] * (SIZE - 1)])
        frame.attrs = {} if side else {"score_columns": ["s"]}
        jobs.append(JobScores(AggregateScores((*scores.aggregate.scores, *more)), frame))
    (result,) = evaluate([NoRegression("m", score="s", min_count=2)], *jobs).results
    assert (result.outcome, result.count) == ("pass", SIZE)
