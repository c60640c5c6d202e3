from __future__ import annotations

import html
import re
import sys
import xml.dom.minidom
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from airflow_provider_benchmarks import extras
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoDrift, NoRegression, Outcome, Threshold, Verdict, evaluate
from airflow_provider_benchmarks.gates.report_context import PastJob, ReportContext
from airflow_provider_benchmarks.gates.result import CheckResult
from airflow_provider_benchmarks.views import html_page
from airflow_provider_benchmarks.views.gauge import Gauge
from tests.support.page_texts import texts_of
from tests.support.scored_jobs import flips, job

pytest.importorskip("matplotlib")
MOST_BYTES = 500_000
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</pre></style></svg><svg onload=alert(1)>",
    '" onmouseover="alert(1)',
    "{{ 7 * 7 }}{% raw %}",
    "\u202eevil\u2066",
    "\x00\x1b[31m\x85\ud800",
    "&lt;b&gt; &#60;",
    "<!-- comment",
    "</article></main><details><summary>x",
    "a\u2028b\x85c\r\nd",
]
HUGE = "9" * 400


class Tags(HTMLParser):
    """Collects what a browser would make of a page, and requires that tags nest."""

    VOID = ("meta",)

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def result(outcome=Outcome.FAIL, text="x", *, rows=0, check=None, **fields):
    row = {"candidate": 0.0, "baseline": 1.0, "item": {text: text, "nested": [{text: 1}], "huge": int(HUGE)}}
    known = {
        "check": check or Threshold("m", at_least=1), "metric": text, "score": text, "outcome": outcome,
        "observed": 0.5, "expected": "≥ 1", "count": 3, "nan_count": 0,
        "reason": "" if outcome is Outcome.PASS else text, "group": text,
        "worst": tuple({"row_index": index, **row} for index in range(rows)),
    }  # fmt: skip
    return CheckResult(**{**known, **fields})


@pytest.fixture
def compared():
    return evaluate(
        [
            Threshold("w/m", at_least=0.5),
            NoRegression("w/m"),
            NoRegression("w/m", by="part"),
            Threshold("w/m", at_least=0.99, confidence=0.9),
        ],
        *flips(200, lost=20, gained=3),
    )


class TestContent:
    def test_what_keeps_it_from_passing_stands_first(self, compared):
        text = texts_of(html_page(compared).partition("<main>")[2])
        places = [text.index(part) for part in ("Checks that do not hold", "w/m/s difference", "Checks that hold")]
        assert places == sorted(places)
        assert text.index("≥ 0.99") < places[2] < text.index("≥ 0.5 200 rows")

    def test_groups_of_a_check_stand_together(self):
        by_part = NoRegression("w/m", by="part")
        groups = [
            result(outcome, check=by_part, group=f"part = {name}")
            for name, outcome in zip("abc", ("pass", "fail", "pass"), strict=True)
        ]
        groups = [replace(each, outcome=Outcome(each.outcome)) for each in groups]
        page = html_page(Verdict(results=(*groups, result())))
        (block,) = re.findall(r'<section class="slices">.*?</section>', page, re.DOTALL)
        text = texts_of(block)
        assert "by part 1 fail, 2 pass" in text
        assert text.index("part = b") < text.index("2 that hold") < text.index("part = a") < text.index("part = c")

    def test_rows_are_counted_and_shown(self, compared):
        text = texts_of(html_page(compared))
        assert "Rows: 20 worse, 177 the same, 3 better" in text
        worse, better = text.split("Rows that got worse most")[1].split("Rows that got better most")
        assert "row 0 w/m/s difference [part = a]" in worse
        assert "q0" in worse
        assert worse.count("Baseline 1 This job 0") == 10
        assert re.findall(r"row (\d+) w/m/s", better) == ["197", "198", "199"]
        assert better.count("Baseline 0 This job 1") == 3

    def test_what_both_jobs_have_stands_side_by_side(self, compared):
        records = {0: ({"q": "why?", "out": "right"}, {"q": "why?", "out": "wrong", "more": [1]})}
        results = tuple(
            r if r.changes is None else replace(r, changes=replace(r.changes, records=records))
            for r in compared.results
        )
        page = html_page(replace(compared, results=results))
        (row,) = re.findall(r"<article.*?row 0 .*?</article>", page, re.DOTALL)[:1]
        row = row[row.index("row 0 ") :]
        assert row.count("why?") == 1
        text = texts_of(row)
        baseline, candidate = text.split("This job")
        assert "right" in baseline
        assert "no such field" in baseline
        assert "wrong" in candidate
        assert "[ 1 ]" in candidate

    def test_where_it_ran(self, compared):
        links = {
            "Task log": "https://airflow.example/x?a=1&b=2",
            "evil": "javascript:alert(1)",
            "data": "data:text/html,x",
        }
        context = ReportContext(
            dag="my.nightly", task="gate[2]", run="scheduled__1", model="team/large", policy="p.yaml", links=links
        )
        page = html_page(compared, context)
        text = texts_of(page)
        for part in (
            "DAG my.nightly Task gate[2] Run scheduled__1",
            "Model team/large",
            "Policy p.yaml",
            "Job candidate",
        ):
            assert part in text
        assert Tags(page).attributes["href"] == {"https://airflow.example/x?a=1&b=2"}

    def test_links_are_addresses_of_the_web(self, compared):
        links = {
            "a": "http://user:secret@x.example/",
            "b": "https://x.example/\ud800",
            "c": "https://x.example/\u202e y",
        }
        assert "href" not in Tags(html_page(compared, ReportContext(links=links))).attributes

    def test_earlier_jobs(self, compared):
        past = tuple(
            PastJob(scores=job(np.repeat([1.0, 0.0], [70 + n, 30 - n]), name=f"night-{n}"), outcome="pass")
            for n in range(5)
        )
        text = texts_of(html_page(compared, ReportContext(history=past)))
        assert "5 earlier jobs, 0.7 to 0.74; this job 0.615" in text
        assert "Earlier jobs" not in texts_of(html_page(compared, ReportContext(history=past[:1])))

    def test_a_verdict_that_was_stored_has_a_page(self, compared):
        page = html_page(Verdict.from_dict(compared.to_dict()))
        assert "Row differences" not in page
        assert "Rows that got worse most" in page

    def test_nothing_judged_is_no_pass(self):
        page = html_page(Verdict(results=(result(Outcome.WARN, judged=False, observed=None),)))
        assert '<header class="warn">' in page
        assert "NOTHING JUDGED" in page


class TestInert:
    @pytest.mark.parametrize("text", HOSTILE)
    def test_texts_of_others(self, text):
        results = (result(text=text, rows=3), result(Outcome.PASS, text))
        context = ReportContext(
            **dict.fromkeys(("dag", "task", "run", "submitted", "model", "policy"), text),
            links={text: "https://x.example/"},
        )
        verdict = Verdict(results=results, job=text, benchmark=text, workspace=text, baseline=text)
        page = html_page(verdict, context)
        plain = Tags(
            html_page(
                TestInert.VERDICT,
                replace(
                    context,
                    **dict.fromkeys(("dag", "task", "run", "submitted", "model", "policy"), "x"),
                    links={"x": "https://x.example/"},
                ),
            )
        )
        found = Tags(page)
        assert found.tags == plain.tags
        assert found.attributes.keys() == plain.attributes.keys()
        assert not re.search(r"[\x00\x1b\x85\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
        if text.isprintable():
            assert text in texts_of(page).replace("…", text) or " ".join(text.split()) in html.unescape(page)

    VERDICT = Verdict(
        results=(result(rows=3), result(Outcome.PASS)), job="x", benchmark="x", workspace="x", baseline="x"
    )

    def test_it_requests_nothing(self, compared):
        page = html_page(compared)
        assert "default-src 'none'" in page
        found = Tags(page)
        assert not found.tags & {"script", "img", "link", "iframe", "object", "embed", "base", "form", "use image"}
        assert "src" not in found.attributes
        assert all(value.startswith("#") for value in found.attributes.get("xlink:href", ()))
        assert not re.search(r"@import|url\((?!#)", page)

    def test_the_same_verdict_has_the_same_bytes(self, compared):
        assert html_page(compared) == html_page(compared)

    def test_charts_are_xml(self, compared):
        charts = re.findall(r"<svg.*?</svg>", html_page(compared), re.DOTALL)
        assert len(charts) > 3
        for chart in charts:
            xml.dom.minidom.parseString(chart)


class TestBounded:
    @pytest.mark.parametrize("text", ["x", "<&'\">" * 250_000, "\x01" * 1_000_000, "😀" * 300_000])
    @pytest.mark.parametrize("many", [1, 2000])
    def test_its_size(self, text, many):
        few = text if many == 1 else text[:3000]
        results = (*[result(Outcome.PASS, few)] * many, *[result(text=few, rows=10)] * many)
        verdict = Verdict(results=results, job=text, benchmark=text, workspace=text, baseline=text)
        page = html_page(verdict, ReportContext(dag=text, run=text, model=text, links={text: f"https://x/{text}"}))
        assert len(page.encode()) < MOST_BYTES
        Tags(page)
        assert (" more (" in page) == (many > 1)

    def test_what_there_is_no_room_for_is_counted(self):
        page = html_page(Verdict(results=tuple([result(Outcome.PASS)] * 1000 + [result()] * 2000)))
        shown = page.count('<div class="check fail"')
        assert 50 < shown < 2000
        assert f"and {2000 - shown:,} more ({2000 - shown:,} fail)" in page
        assert "and 1,000 more (1,000 pass)" in page

    def test_groups_without_room_are_counted(self):
        groups = [result(check=NoRegression("m", by="g"), group=f"g = {n}") for n in range(3000)]
        page = html_page(Verdict(results=tuple(groups)))
        shown = page.count('<div class="check fail"')
        assert f"and {3000 - shown:,} more ({3000 - shown:,} fail)" in page

    def test_a_cut_text_says_so(self):
        worst = ({"row_index": 1, "candidate": 0.0, "baseline": 1.0, "item": {"answer": "long " * 200_000}},)
        text = texts_of(html_page(Verdict(results=(result(worst=worst),))))
        assert re.search(r"cut: the first [\d,]+ of 1,000,000 characters", text)

    def test_fields_without_room_are_counted(self):
        worst = ({"row_index": 1, "candidate": 0.0, "baseline": 1.0, "item": {f"f{n}": n for n in range(1000)}},)
        assert "and 970 more fields" in html_page(Verdict(results=(result(worst=worst),)))


class TestGauge:
    @pytest.mark.parametrize(
        ("check", "fields", "bars"),
        [
            (Threshold("m", at_least=0.5), {"observed": 0.75}, 1),
            (Threshold("m", at_least=0.5, at_most=0.9), {"observed": 0.75}, 2),
            (NoRegression("m"), {"observed": -0.1, "details": {"margin": 0.0, "mode": "detect"}}, 1),
            (NoDrift("m"), {"observed": 0.5, "details": {"cusum": 2.0, "limit": 5.0, "low": 0.3, "high": None}}, 1),
            (Threshold("m", at_least=1), {"observed": 1.0}, 1),
        ],
    )
    def test_a_value_and_its_bars(self, check, fields, bars):
        gauge = Gauge.of(result(check=check, **fields))
        assert len(gauge.bars) == bars
        assert all(0 < place < 100 for place in (gauge.value, *gauge.bars))

    def test_drift_is_drawn_in_the_unit_of_its_text(self):
        """Its CUSUM is in the text: a dot far from the bar must not stand beside a value that has reached it."""
        details = {"cusum": 2.6, "limit": 5.75, "low": 0.2587, "high": None}
        gauge = Gauge.of(result(check=NoDrift("m"), observed=0.4333, details=details))
        assert gauge.words == "0.4333, allowed from 0.2587"

    def test_sides(self):
        gauge = Gauge.of(result(check=Threshold("m", at_least=0.5), observed=0.25, interval=(0.2, float("inf"))))
        assert gauge.value < gauge.bars[0] == gauge.allowed[0]
        assert gauge.allowed[1] == gauge.interval[1] == 100
        fewer = result(
            check=NoRegression("m", higher_is_better=False), observed=2.0, details={"margin": 1.0, "mode": "detect"}
        )
        assert Gauge.of(fewer).allowed[0] == 0
        assert Gauge.of(fewer).value > Gauge.of(fewer).allowed[1]

    @pytest.mark.parametrize("ones", range(60, 100, 3))
    def test_the_line_of_a_threshold_clears_the_bar_where_it_passes(self, ones):
        """A two-sided interval would also cross the bar of some that pass."""
        (found,) = evaluate([Threshold("m", at_least=0.7, confidence=0.95)], flips(100, 0, ones=ones / 100)[1]).results
        gauge = Gauge.of(found)
        assert (gauge.interval[0] >= gauge.bars[0]) == (found.outcome is Outcome.PASS)

    @pytest.mark.parametrize("lost", range(8))
    @pytest.mark.parametrize("higher", [True, False])
    def test_so_does_that_of_a_comparison(self, lost, higher):
        candidate, baseline = flips(200, lost) if higher else flips(200, 0, lost)
        check = NoRegression("m", margin=0.03, mode="prove", higher_is_better=higher)
        (found,) = evaluate([check], candidate, baseline).results
        gauge = Gauge.of(found)
        clears = gauge.interval[0] >= gauge.bars[0] if higher else gauge.interval[1] <= gauge.bars[0]
        assert clears == (found.outcome is Outcome.PASS)
        assert gauge.interval[0] <= gauge.value <= gauge.interval[1]

    def test_a_bound_that_json_has_no_word_for_is_at_the_end_of_the_line(self):
        of_threshold = {"observed": 0.75, "details": {"bounds": [0.6, None]}}
        gauge = Gauge.of(result(check=Threshold("m", at_least=0.5, confidence=0.95), **of_threshold))
        assert (gauge.bars[0] < gauge.interval[0], gauge.interval[1]) == (True, 100)
        details = {"margin": 0.1, "mode": "detect", "largest_drop_not_excluded": None}
        gauge = Gauge.of(result(observed=0.0, details={**details, "smallest_drop_not_excluded": -0.05}))
        assert (gauge.interval[0], gauge.interval[1] < 100) == (0, True)

    @pytest.mark.parametrize("observed", [None, float("nan"), float("inf"), 1.7e308, int(HUGE)])
    def test_what_can_not_be_drawn(self, observed):
        found = result(observed=observed, details={"cusum": None})
        assert Gauge.of(found) is None


@pytest.mark.parametrize(
    "values", [[1e59, -1e59, 0.0] * 10, [1e-59, 0.0, 5e-60] * 10, [float("inf"), 1.0] * 10, [float("nan")] * 9 + [1.0]]
)
def test_odd_numbers_have_a_page(values):
    candidate, baseline = job(values), job([v * -1 for v in values], name="baseline")
    checks = [NoRegression("w/m", max_nan_fraction=1), Threshold("w/m", at_least=0, max_nan_fraction=1)]
    history = (PastJob(scores=baseline), PastJob(scores=job(values, name="b")))
    page = html_page(evaluate(checks, candidate, baseline), ReportContext(history=history))
    assert "nan" not in "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL)).lower()


def test_without_the_extra_it_says_which(compared, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "matplotlib" else sys)
    with pytest.raises(ConfigurationError, match=r"needs matplotlib: install airflow-provider-benchmarks\[report\]"):
        compared.to_html()
