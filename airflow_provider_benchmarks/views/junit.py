"""A verdict as JUnit XML, which CI systems show as tests: each check is a test case."""

from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.gates.result import Outcome
from airflow_provider_benchmarks.views.verdict import CheckView, VerdictView

#: What XML 1.0 can't hold in whatever form (https://www.w3.org/TR/xml/#charsets).
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Characters of a text that is about all checks.
_MOST = 2000
#: Characters of the reasons of all checks, and those that each has at least: CI systems refuse files of some megabytes.
_MOST_OF_REASONS, _LEAST_OF_REASON = 1_000_000, 200
#: What an outcome is in JUnit's words: inconclusive checks are no failures, but keep the gate from passing.
_KINDS = {Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "error", Outcome.WARN: "skipped"}


def junit_page(view: VerdictView, *, name: str) -> str:
    """The verdict as a test suite.

    :param name: of the suite, such as the gate's task
    """
    name = shortened(name, _MOST)
    counts = Counter(_KINDS.get(check.outcome) for check in view.checks)
    suite = _element("testsuite", name=name, tests=len(view.checks))
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(counts[kind]))
    room = max(_MOST_OF_REASONS // max(len(view.checks), 1), _LEAST_OF_REASON)
    for check in view.checks:
        suite.append(_case(check, name, room))
    gone = sum(view.left_out.values())
    more = f"\n{gone:,} more checks, for which the verdict has no room" if gone else ""
    suite.append(_element("system-out", f"{shortened(view.headline, _MOST)}\n{shortened(view.subject, _MOST)}{more}"))
    suites = _element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    # Of a text it would name the encoding of the machine.
    page: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return page.decode() + "\n"


def _case(check: CheckView, suite: str, room: int) -> ElementTree.Element:
    """A check; its name, which tells it from others, is whole.

    :param room: characters of each of its other texts
    """
    case = _element("testcase", classname=suite, name=f"{check.what} {check.required}")
    if (kind := _KINDS.get(check.outcome)) is not None:
        type_ = None if kind == "skipped" else str(check.outcome)
        case.append(_element(kind, message=shortened(check.sentence, room), type=type_))
    shown = f"observed {check.observed}, required {check.required}; {check.why}"
    case.append(_element("system-out", shortened(shown, room)))
    return case


def _element(tag: str, text: str = "", **attributes: object) -> ElementTree.Element:
    known = {name: _NO_XML.sub("�", str(value)) for name, value in attributes.items() if value is not None}
    element = ElementTree.Element(tag, known)
    if text:
        element.text = _NO_XML.sub("�", text)
    return element
