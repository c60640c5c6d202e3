"""Texts of others without a hold on what shows them: a terminal, the log view of Airflow, a Markdown page.

What the service writes comes into task logs and messages. Escape sequences of a terminal could hide or forge lines,
marks of Airflow's log view could fold away what follows, and marks of the direction of text could show a line in
another order than it has.
"""

from __future__ import annotations

import re

#: Sequences of a terminal, with the one that makes links (OSC 8): what they do is dropped, the text between them stays.
#: None holds the beginning of another: many that have no end would be searched again and again for it.
SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x90\x98\x9c-\x9f]*(?:\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"
)
#: Control characters but for tabs and ends of lines, the ends of lines that only some programs know, and what changes
#: the direction of text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
#: What begins and ends a group in Airflow's log view, wherever it stands in a line; and what the runners of GitHub and
#: Azure obey in a log: ``::error::`` at its beginning, ``##[error]`` and ``##vso[task…]`` anywhere.
_GROUP = re.compile(r"::(?=(?:end)?group::)|(?m:^[ \t]*+::)(?=[a-zA-Z][\w-]*+(?: [^\n]*)?::)|##(?=\w*\[)")
_FURTHER_LINE = re.compile(r"\n(?! {4})")
_SIGN = re.compile(rf"{_CONTROL.pattern}|{_GROUP.pattern}")
_PICTURES = 0x2400
#: What means something in the middle of a line of Markdown: emphasis, code, links, images, HTML, entities, tables,
#: formulas, and addresses that become links by themselves. A name such as row_index stays readable.
_MARKDOWN = re.compile(
    r"[\\`*\[\]|~$]|<(?=[A-Za-z/!?])|&(?=[A-Za-z#])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    r"|(?<=:)/(?=/)|(?<=[wW]{3})\.|@(?=\S)|(?<=(?i:mailto)):|(?<=(?i:xmpp)):"
)


def inert_text(text: str) -> str:
    r"""Drop sequences of a terminal, show other control characters, and break the marks of groups of a log.

    Ends of lines stay, as ``\n``.
    """
    if _SIGN.search(text) is None:
        return text
    text = SEQUENCE.sub("", text.replace("\r\n", "\n"))
    text = _CONTROL.sub(_visible, text)
    return _GROUP.sub(lambda mark: f"{mark[0][:-1]} {mark[0][-1]}", text)


def one_line(text: str) -> str:
    """An inert text in which no line ends."""
    return " ".join(inert_text(text.replace("\r", "\n")).splitlines())


def markdown_text(text: str) -> str:
    """A text within a line or a table of Markdown that is shown as it is, whatever it holds."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


def indented(text: str) -> str:
    """A text with its further lines indented, so that none of them passes for a line of the log itself.

    Those that are indented already stay as they are.
    """
    return _FURTHER_LINE.sub("\n    ", text)


def _visible(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x20:
        return chr(_PICTURES + number)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
