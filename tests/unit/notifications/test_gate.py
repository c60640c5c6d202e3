from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError, JobFailed
from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.gates.result import CheckResult, Outcome
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.notifications._markups import MARKUPS
from airflow_provider_benchmarks.notifications.gate import BenchmarkGateNotifier

HOSTILE = (
    "<!channel> <@U1> @everyone @here *bold* `code` :boom: [x](javascript:alert(1)) <b>x</b> {{ conn.x.password }} ~s~"
)


def verdict(reason: str = "mean of m is 0.5, expected ≥ 0.9", *, checks: int = 1, job: str = "job-1") -> dict[str, Any]:
    check = Threshold("ws/m", at_least=0.9)
    result = CheckResult(
        check=check,
        outcome=Outcome.FAIL,
        metric="ws/m",
        expected="≥ 0.9",
        reason=reason,
        observed=0.5,
        score=None,
        count=5,
        nan_count=0,
    )
    return Verdict(results=(result,) * checks, job=job, benchmark="ws/qa", workspace="ws").to_dict()


class TaskInstance:
    dag_id, task_id, run_id, map_index, log_url = (
        "release",
        "gate",
        "run-1",
        -1,
        "https://airflow.example.com/log?a=1&b=2",
    )

    def __init__(self, **xcoms: Any) -> None:
        self.xcoms = xcoms

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.xcoms.get(key)


def told(markup: str, *, exception: Any = None, **xcoms: Any) -> str:
    texts: list[str] = []
    context = {"ti": TaskInstance(**xcoms), "exception": exception}
    BenchmarkGateNotifier(send=texts.append, markup=markup)(context)
    return texts[0]


class Chat:
    """Like the notifiers of Airflow's providers."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)
        self.sent: list[dict[str, Any]] = []

    def render_template_fields(self, context: Any) -> None:
        for name in set(self.__dict__) - {"sent"}:
            setattr(self, name, getattr(self, name).replace("{{ run_id }}", context["run_id"]))

    def notify(self, context: Any) -> None:
        self.sent.append({name: value for name, value in self.__dict__.items() if name != "sent"})


@pytest.mark.parametrize("markup", MARKUPS)
def test_nothing_in_the_text_means_anything(markup):
    text = told(markup, verdict=verdict(HOSTILE, job=HOSTILE[:50]))
    assert re.search(r"@\w", text) is None
    assert re.search(r"<[!@#]", text) is None
    assert "<b>x</b>" not in text or markup == "plain"
    if markup == "slack":
        assert "<@" not in text
        assert ":boom:" not in text
        assert re.search(r"(?<!\w)[*`~](?=(bold|code|s~))", text.replace("\u2060", " ")) is None or "\u2060*" in text
    if markup == "markdown":
        assert "\\[x\\](" in text
        assert "\\*bold\\*" in text


@pytest.mark.parametrize("markup", MARKUPS)
@pytest.mark.parametrize("signs", ["<&>\"'*_`@:a:[]", "x" * 50, "🙂é", "\0\x1b[1m\n\r"])
def test_it_is_never_too_long(markup, signs):
    many = verdict(signs * 400, checks=50, job=signs * 100)
    links = {f"_link_{name}Link": f"https://e.example.com/{'a&' * 240}" for name in ("Report", "BenchmarkJob")}
    text = told(markup, verdict=many, **links)
    assert len(text) <= 3000
    assert re.search(r"and \d+ more", text)
    assert "airflow.example.com" in text
    assert len(told(markup, exception=JobFailed(signs * 2000), **links)) <= 3000


@pytest.mark.parametrize("markup", MARKUPS)
@pytest.mark.parametrize("address", ["http://evil.example/x", "WWW.evil.example", "mailto:a@evil.example", "slack://x"])
def test_an_address_of_others_is_no_link(markup, address):
    text = told(markup, verdict=verdict(f"see {address} now"), _link_ReportLink="https://e.example.com/report")
    assert re.search(r"(?i)evil|slack:[\u2060\\]+//", text)
    assert not re.search(r"(?i)http://evil|www\.evil|mailto:a|slack://", text)
    assert "https://e.example.com/report" in text


def test_the_id_of_a_run_can_be_copied():
    ti = TaskInstance(verdict=verdict())
    ti.run_id = "scheduled__2026-11-29T09:26:39.12+00:00"
    texts: list[str] = []
    BenchmarkGateNotifier(send=texts.append, markup="slack")({"ti": ti, "exception": None})
    assert f"run {ti.run_id}\n" in texts[0]


def test_checks_that_an_xcom_has_no_room_for_are_counted():
    found = Verdict.from_dict(verdict(checks=12))
    text = told("plain", verdict={**found.to_dict(), "left_out": {"fail": 1100, "pass": 5}})
    shown = text.count("FAIL mean of")
    assert f"and {12 - shown + 1100:,} more" in text


def test_a_link_that_is_none_is_left_out():
    text = told("html", verdict=verdict(), _link_ReportLink="javascript:alert(1)", _link_BaselineLink=5)
    assert "javascript" not in text
    assert '<a href="https://airflow.example.com/log?a=1&amp;b=2">Log</a>' in text


def test_the_notifiers_own_templates_are_rendered_and_the_text_is_not():
    chat = Chat(text="old", channel="{{ run_id }}")
    reason = "{{ run_id }} is what the service wrote"
    context = {"ti": TaskInstance(verdict=verdict(reason)), "run_id": "run-1"}
    notifier = BenchmarkGateNotifier(chat)
    notifier(context)
    notifier(context)
    assert [(sent["channel"], "{{ run_id }} is what" in sent["text"]) for sent in chat.sent] == [("run-1", True)] * 2
    assert chat.text == "old"


@pytest.mark.parametrize("field", ["txt", "", 3])
def test_a_field_that_a_notifier_has_not_is_told_at_once(field):
    with pytest.raises(ConfigurationError, match=rf"Chat has no attribute {field!r} \(field=\)") as caught:
        BenchmarkGateNotifier(Chat(text="placeholder"), field=field)
    assert ('Did you mean "text"?' in str(caught.value)) == (field == "txt")


def test_a_function_has_no_field():
    with pytest.raises(ConfigurationError, match="field is an attribute of a notifier, and send has none"):
        BenchmarkGateNotifier(send=print, field="text")


@pytest.mark.parametrize(("field", "markup"), [("text", "markdown"), ("html_content", "html"), ("body", "markdown")])
def test_the_field_and_the_markup_are_those_of_the_notifier(field, markup):
    notifier = BenchmarkGateNotifier(Chat(**{field: ""}))
    assert (notifier.field, notifier.markup) == (field, markup)


def test_a_mailbox_is_told_by_airflows_own_notifier(monkeypatch):
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    sent: list[str] = []
    monkeypatch.setattr(
        SmtpNotifier, "notify", lambda self, context: sent.append(f"{self.subject}: {self.html_content}")
    )
    context = {"ti": TaskInstance(verdict=verdict()), "run_id": "run-1", "dag": None}
    BenchmarkGateNotifier(SmtpNotifier(to="a@example.com", from_email="b@example.com", subject="Gate"))(context)
    assert sent[0].startswith("Gate: <b>FAIL: 0 of 1 checks hold</b><br>\n")


@pytest.mark.parametrize("context", [{}, {"ti": None}, {"ti": SimpleNamespace()}])
def test_an_odd_context_raises_nothing(context, caplog):
    BenchmarkGateNotifier(send=lambda text: None)(context)
    assert "The notification was not sent" in caplog.text


def test_an_xcom_that_can_not_be_read_leaves_the_error_to_tell():
    class Broken(TaskInstance):
        def xcom_pull(self, **arguments: Any) -> Any:
            raise RuntimeError("no XComs here")

    texts: list[str] = []
    BenchmarkGateNotifier(send=texts.append)({"ti": Broken(), "exception": JobFailed("it broke")})
    assert "JobFailed: it broke" in texts[0]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "either a notifier"),
        ({"notifier": Chat(text=""), "send": print}, "either a notifier"),
        ({"send": "print"}, "send must be a function"),
        ({"send": print, "markup": "rtf"}, "markup must be one of slack, markdown, html, plain"),
        ({"notifier": Chat(words="")}, "Chat has none of text, html_content, body, message"),
    ],
)
def test_where_it_goes_must_be_clear(arguments, problem):
    with pytest.raises(ConfigurationError, match=problem):
        BenchmarkGateNotifier(**arguments)
