"""Log lines that are text for a terminal: coloured, and a traceback squeezed into one line.

structlog writes ``<time> [<level>] <message> [<logger>] <name>=<value> …``, each part in a colour of its own. The
platform replaces the ends of lines in a message by spaces.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from airflow_provider_benchmarks.jobs import LogLine

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LEVEL = re.compile(r"^\S+\s+\[(\w+)\s*\]\s+", re.ASCII)
_MESSAGE = re.compile(r"\] +\x1b\[1m(.*?)\x1b\[0m", re.DOTALL)
_FIELD = re.compile(r"\x1b\[36m([\w.]+)\x1b\[0m=\x1b\[35m(.*?)\x1b\[0m", re.DOTALL)

_HEADING = "Traceback (most recent call last):"
# A search begins once in a run of blanks, or a long one would take the square of its length.
_FRAME = re.compile(r'(?<!\s)\s+(?=File "[^"]+", line \d+, in )')
_PLACE = re.compile(r'(File "[^"]+", line \d+, in \S+)\s*(.*)', re.DOTALL)
_LINK = re.compile(
    r"(The above exception was the direct cause of the following exception:"
    r"|During handling of the above exception, another exception occurred:)"
)
#: The marks below a line of code, behind its indentation: one alone between two words is an operator.
_MARKS = re.compile(r"(?<!\s)\s{3,}[~^]+[\s~^]*")
#: The class of an exception, behind a blank: at the end, or with its message.
_EXCEPTION = re.compile(
    r"(?:^|(?<=\s))(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Timeout|Group|Warning)(?=:\s|\s*$)"
)
_WHOLE_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)+[A-Z]\w*(?:Error|Exception)(?=:\s|$)")


def read_text_lines(line: LogLine) -> Iterator[LogLine]:
    """Take the text of a line apart, where it is one of a terminal; other lines are returned as they are."""
    if "\x1b[" in line.message:
        yield _read_coloured(line)
    elif line.message.startswith(_HEADING) and len(line.message) > len(_HEADING):
        texts = unfolded(line.message)
        for text in texts[:-1]:
            yield replace(line, message=text)
        yield replace(line, message=texts[-1], level="error", error=texts[-1])
    elif not line.level and _WHOLE_EXCEPTION.match(line.message):
        yield replace(line, level="error", error=line.message)
    else:
        yield line


def _read_coloured(line: LogLine) -> LogLine:
    plain = _COLOUR.sub("", line.message).rstrip()
    level, message = _LEVEL.match(plain), _MESSAGE.search(line.message)
    if level is None or message is None:
        return replace(line, message=plain)
    fields = {name: _value(_COLOUR.sub("", value)) for name, value in _FIELD.findall(line.message)}
    return replace(
        line,
        message=_COLOUR.sub("", message[1]).rstrip(),
        level=level[1].lower(),
        root_error=fields.get("root_error", ""),
        error=fields.get("error", "") or fields.get("exception", ""),
        fields=fields,
    )


def _value(text: str) -> str:
    """A value as it was; structlog writes one with blanks as Python does."""
    if text[:1] in ("'", '"'):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
        return value if isinstance(value, str) else text
    return text


def unfolded(text: str) -> list[str]:
    """Put a traceback, whose lines were joined by blanks, back into lines.

    :return: at least one line, the last of which is the exception that was raised in the end
    """
    lines: list[str] = []
    for number, part in enumerate(text.split(_HEADING)):
        if number:
            lines.append(_HEADING)
        place, *frames = _FRAME.split(part)
        lines += _exception_lines(place)
        for frame in frames:
            lines += _frame_lines(frame)
    return [line.rstrip() for line in lines if line.strip()] or [text]


def _frame_lines(frame: str) -> Iterator[str]:
    place = _PLACE.match(frame)
    if place is None:
        yield frame
        return
    yield f"  {place[1]}"
    code, *rest = _MARKS.split(place[2], maxsplit=1)
    exception = None if rest else _EXCEPTION.search(code)
    if exception is not None:  # nothing but a blank is between the line of code and the exception
        code, rest = code[: exception.start()], [code[exception.start() :]]
    if code.strip():
        yield f"    {code.strip()}"
    yield from _exception_lines("".join(rest))


def _exception_lines(text: str) -> Iterator[str]:
    """What is behind the last frame: the exception, and the sentence that links it with the next one."""
    yield from (part.strip() for part in _LINK.split(text))
