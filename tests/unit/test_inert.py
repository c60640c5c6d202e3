from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import BenchmarkError, ServiceError
from airflow_provider_benchmarks.inert import indented, inert_text, markdown_text, one_line

LINK = "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünï, 日本, 👍, tab\tand\nline", None),
        ("\x1b[31;1mred\x1b[0m \x1b[2J\x1b[1;1Hgone", "red gone"),
        ("\x9b31mred", "red"),
        (LINK, "click"),
        ("\x1b]8;;https://evil.example\x07click\x1b]8;;\x07", "click"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1bP1;2|data\x1b\\text\x1b_more\x1b\\", "text"),
        ("\x1bctext\x1b(B", "text"),
        ("\x1b]8;;without an end", "␛]8;;without an end"),
        ("first\r\nsecond", "first\nsecond"),
        ("hidden\rshown", "hidden␍shown"),
        ("a\0b\bc\x7fd\x85e\u2028f", "a␀b␈c\\x7fd\\x85e\\u2028f"),
        ("\u202egnp.exe\u2066x\u2069", "\\u202egnp.exe\\u2066x\\u2069"),
        ("x ::group::y ::endgroup::", "x : :group::y : :endgroup::"),
        ("::gr\x1b[0moup::y", ": :group::y"),
        ("##[group]y ##[endgroup]", "# #[group]y # #[endgroup]"),
        ("##[error]y ##vso[task.setvariable]z", "# #[error]y # #vso[task.setvariable]z"),
        ("::error::x\n  ::set-output name=a::b\nc ::error::", ": :error::x\n  : :set-output name=a::b\nc ::error::"),
        ("std::vector::size", None),
        ("1\u200e2\u200f3\u061c4", "1\\u200e2\\u200f3\\u061c4"),
    ],
)
def test_what_has_a_hold_on_logs(text, shown):
    assert inert_text(text) == (text if shown is None else shown)
    assert inert_text(inert_text(text)) == inert_text(text)


@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("\x1b[]8;\\m\x07\r\n:gendroup#\x9b\x9d\u202e")))
def test_no_text_keeps_a_hold(text):
    shown = inert_text(text)
    assert not {each for each in shown if unicodedata.category(each) == "Cc"} - {"\n", "\t"}
    assert not any(unicodedata.bidirectional(each) in ("LRE", "RLE", "LRO", "RLO", "PDF") for each in shown)
    assert "::group::" not in shown
    assert "::endgroup::" not in shown
    assert len(one_line(text).splitlines()) <= 1


def test_errors_are_inert():
    error = ServiceError(f"{LINK}\n::group::x", detail="a\rb")
    assert (str(error), error.detail) == ("click\n: :group::x", "a␍b")
    assert str(BenchmarkError("\u202e")) == "\\u202e"


def test_further_lines_are_indented():
    assert indented("a\nERROR b") == "a\n    ERROR b"
    assert indented(indented("a\nERROR b")) == "a\n    ERROR b"


@pytest.mark.parametrize("start", ["\x9d", "\x90", "\x1b]", "\x1bP", "\x9b", "\x1b["])
def test_many_beginnings_without_an_end(start):
    # A search for the end of each took hours.
    assert "\x9d" not in inert_text(start * 500_000)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("my-workspace/row_index: 0.7 (p < 0.0001), a & b", None),
        ("*a* _b_ `c` ~d~ [e](f) ![g](h) <b> &lt; | $x$", None),
        ("a\n\n# b\r\n| c |", "a  # b  \\| c \\|"),
    ],
)
def test_markdown(text, written):
    if written is not None:
        assert markdown_text(text) == written
    elif "*" not in text:
        assert markdown_text(text) == text
