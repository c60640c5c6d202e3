"""Reports as Markdown: what jobs, metrics and items are called is shown as it is, by a real renderer."""

from __future__ import annotations

import html
import re

import pytest

from airflow_provider_benchmarks.gates import Threshold, Verdict
from airflow_provider_benchmarks.gates.result import CheckResult, Outcome

markdown_it = pytest.importorskip("markdown_it")

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![image](https://evil.example/x.png)",
    "[link](https://evil.example)",
    "[link]: https://evil.example",
    "<https://evil.example>",
    "https://evil.example/x",
    "www.evil.example",
    "a@evil.example",
    "a | b | c",
    "a \\| b \\\\| c \\",
    "line\n\n# heading\n\n- item",
    "line\r\n| a | b |\r\n| - | - |",
    "`code` ``x``",
    "```\nfence",
    "**bold** _em_ __strong__ ~~gone~~",
    "&lt;b&gt; &copy; &#60;",
    "\u202eevil",
    "\x1b[31mred",
    "a\u2028b\x85c",
    "<!-- comment",
    "<details><summary>x",
    "*" * 50,
    "[" * 50,
]


def render(text: str) -> str:
    try:
        parser = markdown_it.MarkdownIt("gfm-like")
        return parser.render(text)
    except ModuleNotFoundError:  # links of bare addresses need linkify-it-py
        return markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)


def verdict_of(text: str) -> Verdict:
    worst = {"row_index": 1, "candidate": 0.0, "baseline": 1.0, "item": {text: text}}
    result = CheckResult(
        check=Threshold("m", at_least=0.5),
        metric=text,
        score=text,
        outcome=Outcome.FAIL,
        observed=0.1,
        expected="≥ 0.5",
        count=1,
        nan_count=0,
        reason=text,
        group=text,
        worst=(worst,),
    )
    return Verdict(results=(result,), job=text, benchmark=text, workspace=text, baseline=text)


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_items_are_inert(text):
    markdown = verdict_of(text).to_markdown()
    assert not re.search(r"://|www\.|[^\\]@", markdown)  # what some renderers make a link of by itself
    page = render(markdown)
    tags = set(re.findall(r"<(/?[a-zA-Z!][a-zA-Z0-9]*)", page))
    assert {tag.strip("/") for tag in tags} <= {"p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert page.count("<table>") == 2
    assert page.count("<tr>") == 4
    assert page.count("<td>") == 5 + 5
    assert page.count("<strong>") == 2
    shown = html.unescape(re.sub(r"<[^>]*>", " ", page))
    if text.isprintable() and "\\" not in text:
        assert shown.count(" ".join(text.split())) >= 5
    assert not re.search(r"[\x1b\x85\u2028\u202e]", page)


@pytest.mark.parametrize("text", HOSTILE)
def test_tables_of_logs_have_no_line_of_others(text):
    table = verdict_of(text).to_table()
    assert len(table.splitlines()) == len(verdict_of("x").to_table().splitlines())
