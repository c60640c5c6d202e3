"""What texts of others become, so that nothing in them means anything where they are shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from airflow_provider_benchmarks.inert import markdown_text, one_line
from airflow_provider_benchmarks.storable import storable_text

SLACK, MARKDOWN, HTML, PLAIN = "slack", "markdown", "html", "plain"
#: What no chat shows; behind these signs it keeps a name from being a mention: @everyone, <!channel>, <#C1>.
_JOINER = "\u2060"
_MENTION = re.compile(r"@(?=\S)|<(?=[!@#])")
#: What makes text bold, struck out or code in Slack at the edge of a word; and its emojis. A time of day is none, so
#: that the id of a run can be copied.
_SLACK_SIGN = re.compile(r"(?<!\w)[*_~`](?=\S)|:(?=(?:1?00|1234|[0-9+'-]*[a-z_][a-z0-9_+'-]*):)")
#: Where addresses begin that chats and mailboxes make links of; what is written as a link is none of these texts.
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*:(?=//)|\bwww(?=\.)|\b(?:mailto|tel):(?=\S)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Markup:
    """A way to write a text.

    :param text: makes a text of others inert
    :param strong: emphasises an inert text
    :param link: writes an inert name and a checked address
    :param line_end: between two lines
    """

    text: Callable[[str], str]
    strong: Callable[[str], str]
    link: Callable[[str, str], str]
    line_end: str = "\n"


def _plain(text: str) -> str:
    text = _ADDRESS.sub(rf"\g<0>{_JOINER}", one_line(storable_text(text)))
    return _MENTION.sub(rf"\g<0>{_JOINER}", text)


def _slack(text: str) -> str:
    return _SLACK_SIGN.sub(rf"{_JOINER}\g<0>{_JOINER}", escape(_plain(text), quote=False))


def _markdown(text: str) -> str:
    return markdown_text(_plain(text))


def _html(text: str) -> str:
    return escape(_plain(text))


MARKUPS = {
    SLACK: Markup(_slack, "*{}*".format, lambda name, url: f"<{escape(url, quote=False).replace('|', '%7C')}|{name}>"),
    MARKDOWN: Markup(_markdown, "**{}**".format, lambda name, url: f"{name}: <{url}>", line_end="\n\n"),
    HTML: Markup(
        _html,
        "<b>{}</b>".format,
        lambda name, url: f'<a href="{escape(url)}">{name}</a>',
        line_end="<br>\n",
    ),
    PLAIN: Markup(_plain, "{}".format, "{}: {}".format),
}
