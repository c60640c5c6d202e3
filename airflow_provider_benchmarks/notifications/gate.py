"""Tell a chat or a mailbox how a gate came out, through whatever notifier or hook reaches it."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseNotifier

from airflow_provider_benchmarks.background import TooSlow
from airflow_provider_benchmarks.brief import brief, did_you_mean, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.links import BaselineLink, BenchmarkJobLink, ReportLink, StoredScoresLink
from airflow_provider_benchmarks.notifications._markups import HTML, MARKDOWN, MARKUPS, SLACK
from airflow_provider_benchmarks.notifications._message import Message
from airflow_provider_benchmarks.notifications._sending import is_async, seconds_for, send_within
from airflow_provider_benchmarks.safe_causes import told

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_LINKS = (ReportLink(), BenchmarkJobLink(), StoredScoresLink(), BaselineLink())
#: The attributes of notifiers that hold their text, in the order in which they are looked for.
_FIELDS = ("text", "html_content", "body", "message")

logger = logging.getLogger(__name__)


class BenchmarkGateNotifier(BaseNotifier):
    """Send the verdict of a gate, its failing checks and its links, as ``on_failure_callback`` or another callback.

    Where the task has no verdict, the text has its error. It never fails a task: what goes wrong is logged, and what is
    not sent within 10 seconds is given up. Nothing in the text has a meaning of its own where it arrives, such as a
    template, a link, or the mention of a channel.

    :param notifier: sends the text: ``SlackWebhookNotifier``, ``SmtpNotifier``, ``AppriseNotifier`` or the like. Its
        own templates are rendered first; then the text takes the place of the one that it was made with
    :param send: in its place, a function that takes the text; not an ``async`` one
    :param field: the notifier's attribute that takes the text; None for the first that it has of ``text``,
        ``html_content``, ``body`` and ``message``
    :param markup: ``slack``, ``markdown``, ``html`` or ``plain``; None for that of the notifier: ``slack`` of the Slack
        provider, ``html`` for ``html_content``, else ``markdown``
    :raises ConfigurationError: it is not clear where the text goes
    """

    def __init__(
        self,
        notifier: Any = None,
        *,
        send: Callable[[str], object] | None = None,
        field: str | None = None,
        markup: str | None = None,
    ) -> None:
        super().__init__()
        if (notifier is None) == (send is None):
            raise ConfigurationError("BenchmarkGateNotifier: give either a notifier, or send= a function")
        if send is not None and not callable(send):
            raise ConfigurationError(f"BenchmarkGateNotifier: send must be a function, found a {type(send).__name__}")
        if send is not None and field is not None:
            raise ConfigurationError("BenchmarkGateNotifier: field is an attribute of a notifier, and send has none")
        for argument, given in (("send", send), ("notifier", getattr(notifier, "notify", None))):
            if is_async(given):
                raise ConfigurationError(
                    f"BenchmarkGateNotifier: {argument} is async, and nobody awaits it here: give a plain function, "
                    f"such as one that calls asyncio.run"
                )
        if markup is not None and not (isinstance(markup, str) and markup in MARKUPS):
            raise ConfigurationError(f"BenchmarkGateNotifier: markup must be one of {', '.join(MARKUPS)}")
        self.notifier = notifier
        self.send = send
        self.field = None if notifier is None else _text_field(notifier, field)
        self.markup = markup or _markup_of(notifier, self.field)

    def notify(self, context: Context) -> None:
        """Send the text; an error is logged, and not raised."""
        try:
            seconds = seconds_for(context["ti"])
            error = send_within(seconds, self._sender(self._text(context), context))
        except TooSlow:
            logger.error(
                "The notification was not sent within %.2g s, and is not waited for: the task ends as it came out. "
                "Look whether the chat or mailbox can be reached from here, and give what sends it a shorter timeout",
                seconds,
            )
            return
        except Exception as problem:  # noqa: BLE001  whatever it is, the task came out as it did
            error = problem
        if error is not None:
            logger.error("The notification was not sent: %s", shortened(told(error)))

    def __call__(self, *args: Any) -> None:
        """Send the text.

        :param args: the context of the task
        """
        self.notify(args[0] if args else {})

    def _text(self, context: Context) -> str:
        ti: Any = context["ti"]
        verdict = _pulled(ti, "verdict")
        links = {"Log": getattr(ti, "log_url", ""), **dict(_links_of(ti))}
        return Message(
            task=f"{ti.dag_id}.{ti.task_id}{_map_index(ti)}",
            run=str(ti.run_id),
            verdict=verdict if isinstance(verdict, Mapping) else None,
            error=context.get("exception"),
            links={name: link for name, link in links.items() if isinstance(link, str) and link},
        ).text(MARKUPS[self.markup])

    def _sender(self, text: str, context: Context) -> Callable[[], object]:
        if self.send is not None:
            return partial(self.send, text)
        # A copy: the same notifier serves all tries and mapped tasks in a process.
        target = copy.copy(self.notifier)
        target.render_template_fields(context)
        # After that, as the text is of others and must not be taken for a template.
        setattr(target, str(self.field), text)
        return partial(target.notify, context)


def _text_field(notifier: Any, named: str | None) -> str:
    """The attribute of a notifier that takes the text.

    :raises ConfigurationError: it has none of the name, or of the usual names
    """
    kind = type(notifier).__name__
    if named is not None:
        if isinstance(named, str) and hasattr(notifier, named):
            return named
        meant = did_you_mean(named, [name for name in vars(notifier) if not name.startswith("_")])
        raise ConfigurationError(f"BenchmarkGateNotifier: {kind} has no attribute {brief(named)} (field=){meant}")
    for name in _FIELDS:
        if hasattr(notifier, name):
            return name
    raise ConfigurationError(
        f"BenchmarkGateNotifier: {kind} has none of {', '.join(_FIELDS)}: name the attribute that takes the text with "
        f"field="
    )


def _markup_of(notifier: Any, field: str | None) -> str:
    if field == "html_content":
        return HTML
    return SLACK if ".slack." in f"{type(notifier).__module__}." else MARKDOWN


def _map_index(ti: Any) -> str:
    return f"[{ti.map_index}]" if ti.map_index is not None and ti.map_index >= 0 else ""


def _links_of(ti: Any) -> Iterator[tuple[str, Any]]:
    for link in _LINKS:
        yield link.name, _pulled(ti, link.xcom_key)


def _pulled(ti: Any, key: str) -> Any:
    """The XCom of a task itself; None where there is none, or Airflow can't be asked for it."""
    map_index = -1 if ti.map_index is None else ti.map_index
    try:
        return ti.xcom_pull(task_ids=ti.task_id, key=key, map_indexes=map_index)
    except Exception as error:  # noqa: BLE001  the error of the task is told all the same
        logger.warning("XCom %s can't be read for the notification: %s", key, shortened(told(error)))
        return None
