"""Secrets in the texts of others: a service, or a gateway before it, may echo what it was sent.

Whoever makes a client registers its secrets. Every error of this package masks them in its message, and the client
masks them in what it reads, so that neither logs nor XComs nor Airflow's database get them. An echo is found as it was
sent, percent-encoded, with the escapes of JSON or HTML, in base64 and in hexadecimal; also where control characters,
sequences of a terminal or ends of lines split it. So it makes no difference whether these are dropped before a text is
masked or after it. :func:`safe_text` does both, for every text that is shown.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from threading import Lock
from typing import Any

from airflow_provider_benchmarks.inert import SEQUENCE, inert_text
from airflow_provider_benchmarks.storable import storable_text

HIDDEN = "***"
#: A shorter value is not masked: it may well be a part of any word, and hardly protects anything.
MIN_CHARACTERS = 6
#: Number of secrets that are remembered, the latest. A token that is renewed each hour must not fill the memory.
_MAX_REMEMBERED = 256
#: What stands for another character: with the percent sign or the backslash encoded as often as one likes.
_ESCAPE = re.compile(
    r"%(?:25)*(?P<percent>[0-9A-Fa-f]{2})"
    r"|(?<!\\)\\++(?:u(?P<json>[0-9A-Fa-f]{4})|x(?P<python>[0-9A-Fa-f]{2})|(?P<itself>.))"
    r"|&(?:amp;)*(?:#(?P<decimal>[0-9]{1,7});|#[xX](?P<hex>[0-9A-Fa-f]{1,6});"
    r"|(?P<named>amp|lt|gt|quot|apos|sol|plus|equals|colon);)"
)
#: What a backslash makes of a letter in JSON; of any other character it makes that itself.
_AFTER_BACKSLASH = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
#: ... where it is a backslash itself, of which the escape is a part.
_AS_ITSELF: Mapping[str, str] = {}
#: Ends of lines behind blanks, and those of HTML, and what a text with one has: most have none.
_HTML_LINE_END = r"<w?[bB][rR][ \t]*+/?>\n?"
_ODD_LINE_END = re.compile(rf"(?<![ \t])(?:[ \t]++(?:\r?\n|{_HTML_LINE_END})|{_HTML_LINE_END})")
_ODD_LINE_END_SIGNS = (" \n", " \r", "\t\n", "\t\r", "<b", "<B", "<w")
#: Blanks before an end of a line that is an escape of JSON.
_BLANKS_AT_END = re.compile(r"(?<!\x20)\x20++(?=\\++[nrt])")
#: What may split a secret, and is dropped or hardly seen where a text is shown: sequences of a terminal, control
#: characters, ends of lines with the indentation behind them, and characters without a width.
_SPLITTER = re.compile(
    # Where backslashes are escapes, that of a sequence's end is gone.
    rf"\x1b[]PX^_][^\x07\x1b\x90\x98\x9c-\x9f]*\x1b(?!\\)|{SEQUENCE.pattern}|\n[ \t]*"
    r"|[\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
#: The same as escapes of JSON, in whatever depth; of sequences those that nearly all logs with colours have. It begins
#: with one certain character, for which a text is searched ten times as fast as for several.
_ESCAPED_SPLITTER = re.compile(
    r"\\(?<!\\\\)\\*+(?:(?:u00|x)1[bB](?:\[[0-?]*[ -/]*[@-~]|\][^\\\x22]*\\+u00(?:07|1[bB]\\+))|n[ ]*|[bfrt]"
    r"|(?:u00|x)(?:0[0-9A-Fa-f]|1[0-9AaC-Fc-f]|7[fF]|8[0-9A-Fa-f]|[aA][dD])|u(?:20[0-6][0-9A-Fa-f]|[fF][eE][fF][fF]))"
)
_PERCENT_SPLITTER = re.compile(r"%(?:25)*(?:[01][0-9A-Fa-f]|7[fF])")
#: The beginning of another sequence: all escapes must be decoded to find its end.
_OTHER_SEQUENCE = re.compile(r"\\(?:u00|x)(?:1[bB]|9[0-9A-Fa-f])")
#: Encodings within each other that are taken off.
_MAX_LEVELS = 4
_NAMED = {
    "amp": "&",
    "lt": "<",
    "gt": ">",
    "quot": '"',
    "apos": "'",
    "sol": "/",
    "plus": "+",
    "equals": "=",
    "colon": ":",
}
_SCHEME = re.compile(r"\S+\s+")
#: The values of ``name=value`` pairs, as cookies and some schemes have them.
_PAIR = re.compile(r"""[\w.-]+=["']?([^\s"',;]+)""")

#: Members of an answer by which later requests and comparisons go. They are masked where a message shows them.
_KEPT = frozenset({"name", "workspace", "id", "metric", "metric_ref", "artifact_url", "download_url", "next_page"})
#: Members of an answer that hold what somebody has to say, at any depth; all others are data.
_WORDS = frozenset({"description", "detail", "error_details", "error_stack", "message", "status_details", "steps"})
#: Members of an answer that hold what people wrote, at any depth.
_FREE = frozenset({"spec", "custom_fields", "error_details", "status_details", "steps", "detail", "message"})


def secrets_of(value: str) -> list[str]:
    """What is secret of a token or of a header's value: itself, what follows its scheme, and what that encodes.

    :return: at least :data:`MIN_CHARACTERS` long each
    """
    value = value.strip()
    scheme = _SCHEME.match(value)
    rest = value[scheme.end() :] if scheme else ""
    found = [value, rest, *_PAIR.findall(value)]
    if scheme and scheme[0].strip().lower() == "basic":
        pair = _decoded_base64(rest)
        found += [pair, pair.partition(":")[2]]
    return [each for each in dict.fromkeys(found) if len(each) >= MIN_CHARACTERS]


def register_secrets(values: Iterable[str], *, names: Iterable[str] = ()) -> None:
    """Mask these tokens and values of headers in every message of this process from here on.

    :param names: values that may be the name of something, such as a gateway's tenant: masked in messages alone, as
        answers are compared by such names
    """
    global _mask, _mask_of_data
    found = {secret: True for value in names for secret in secrets_of(value)}
    found |= {secret: False for value in values for secret in secrets_of(value)}
    with _lock:
        is_new = any(_remembered.get(secret) != is_name for secret, is_name in found.items())
        for secret, is_name in found.items():
            _remembered[secret] = is_name
            _remembered.move_to_end(secret)
        while len(_remembered) > _MAX_REMEMBERED:
            _remembered.popitem(last=False)
        if is_new:
            _mask = Mask(_remembered)
            _mask_of_data = Mask(secret for secret, is_name in _remembered.items() if not is_name)


def forget_secrets() -> None:
    """Mask nothing any more."""
    global _mask, _mask_of_data
    with _lock:
        _remembered.clear()
        _mask = _mask_of_data = Mask(())


def masked(text: str) -> str:
    """The text with ``***`` in place of each registered secret; the very same text where it has none."""
    return _mask(text)


def masked_content(content: bytes) -> bytes:
    """Mask the secrets in the body of an answer; the very same bytes where it has none."""
    if not _mask:
        return content
    text = content.decode(json.detect_encoding(content), "replace")
    found = _mask(text)
    return content if found is text else found.encode()


def may_hold_secrets(content: bytes) -> bool:
    """False for nearly all answers: no text in it has a secret, once it is read as JSON."""
    return bool(_mask) and _mask.may_find_in_json(content.decode(json.detect_encoding(content), "replace"))


def masked_values(payload: Any) -> Any:
    """Mask the secrets in an answer's texts, but for the names by which it is compared and requested."""
    return _masked_member(payload, _mask_of_data, is_free=False)


def safe_text(text: str) -> str:
    """A text to be shown or stored: without the registered secrets, a hold on logs, and what no database stores."""
    return storable_text(inert_text(_mask(text)))


class Mask:
    """Finds secrets in texts.

    :param secrets: as they are sent
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        plain = {*secrets}
        encoded = {each for secret in plain for each in (*_in_base64(secret), *_in_hexadecimal(secret))}
        self._needles = _longest_first(plain | encoded)
        # A secret may have what looks like an escape itself, which is decoded with the text.
        unescaped = {*self._needles, *(view[-1].text for each in self._needles for view in _views(each))}
        in_bytes = {_as_bytes(each).decode("latin-1") for each in unescaped if not each.isascii()}
        self._unescaped_needles = _longest_first(unescaped | in_bytes)
        self._signs = _signs_of_escapes("".join(self._needles))

    def __bool__(self) -> bool:
        return bool(self._needles)

    def __call__(self, text: str) -> str:
        if not self._needles:
            return text
        if not (self._may_be_escaped(text) or self._may_be_split(text, is_json=False)):
            for needle in self._needles:
                if needle in text:
                    text = text.replace(needle, HIDDEN)
            return text
        # All are found before any is replaced: one may be a part of another, of which the rest would be left.
        spans = [span for needle in self._needles for span in _spans(text, needle)]
        for view in _views(text):
            found = (span for needle in self._unescaped_needles for span in _spans(view[-1].text, needle))
            spans += (_in_original(span, view) for span in found)
        return _without(text, spans) if spans else text

    def may_find_in_json(self, text: str) -> bool:
        """False for nearly all texts, in the time of a few searches: no value of the JSON has a secret."""
        return any(each in text for each in self._needles) or (
            bool(self) and (self._may_be_escaped(text) or self._may_be_split(text, is_json=True))
        )

    def _may_be_escaped(self, text: str) -> bool:
        """False for nearly all texts: to decode all escapes of a log takes long."""
        return any(first in text and sign.search(text) is not None for first, sign in self._signs.items())

    def _may_be_split(self, text: str, *, is_json: bool) -> bool:
        # In JSON the control characters of ASCII, but for the last, are escapes.
        joined = _with_plain_line_ends(text)
        is_plain = (is_json and joined.isascii() and "\x7f" not in joined) or joined.isprintable()
        joined = joined if is_plain and joined is text else _SPLITTER.sub("", joined)
        joined = _BLANKS_AT_END.sub("", joined) if " \\" in joined else joined
        joined = _ESCAPED_SPLITTER.sub("", joined) if "\\" in joined else joined
        joined = _PERCENT_SPLITTER.sub("", joined) if "%" in joined else joined
        is_shorter = len(joined) < len(text)
        return (is_shorter and any(each in joined for each in self._needles)) or (
            "\\" in joined and _OTHER_SEQUENCE.search(joined) is not None
        )


class _Rewritten:
    """A text with what a pattern finds replaced, and where each of its characters comes from."""

    def __init__(self, text: str, pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str]) -> None:
        pieces: list[str] = []
        #: Of each piece: where it begins here, and where in the original. Every second one is a replacement.
        self._here: list[int] = []
        self._there: list[int] = []
        here = there = 0
        for found in pattern.finditer(text):
            pieces += [text[there : found.start()], replacement(found)]
            self._here += [here, here + found.start() - there]
            self._there += [there, found.start()]
            here += found.start() - there + len(pieces[-1])
            there = found.end()
        pieces.append(text[there:])
        self._here.append(here)
        self._there.append(there)
        self.text = "".join(pieces)
        self.is_changed = len(pieces) > 1

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where the characters of a span are in the original, with whole escapes."""
        return self._original(start, is_end=False), self._original(end - 1, is_end=True)

    def _original(self, place: int, *, is_end: bool) -> int:
        piece = bisect_right(self._here, place) - 1
        if piece % 2:  # a replacement, of one character: empty ones are passed over
            return self._there[piece + 1] if is_end else self._there[piece]
        return self._there[piece] + place - self._here[piece] + is_end


#: How a text is rewritten, step by step.
_View = list[_Rewritten]


def _views(text: str) -> Iterator[_View]:
    """Ways to read a text: with escapes decoded, as often as they come out of each other, and without splitters."""
    for levels in (_levels(text), _levels(text, _AS_ITSELF)):
        for number in range(len(levels) + 1):
            view = levels[:number]
            if view:
                yield view
            found = view[-1].text if view else text
            if any(sign in found for sign in _ODD_LINE_END_SIGNS):
                view = [*view, _Rewritten(found, _ODD_LINE_END, lambda _: "\n")]
            whole = _Rewritten(view[-1].text if view else text, _SPLITTER, lambda _: "")
            if whole.is_changed:
                yield [*view, whole]


def _with_plain_line_ends(text: str) -> str:
    """The very same text where all are plain."""
    if not any(sign in text for sign in _ODD_LINE_END_SIGNS):
        return text
    return _ODD_LINE_END.sub("\n", text)


def _in_original(span: tuple[int, int], view: _View) -> tuple[int, int]:
    for step in reversed(view):
        span = step.original(*span)
    return span


def _signs_of_escapes(characters: str) -> dict[str, re.Pattern[str]]:
    """What a text has that writes some of the characters as escapes, by what that begins with."""
    unicode, digits = ("u00", "[2-7]") if characters.isascii() else ("u", "")
    special = re.escape("".join(sorted({each for each in characters if not each.isalnum()})))
    itself = rf"|[{special}]" if special else ""
    return {
        "%": re.compile(f"%{digits}"),
        "&": re.compile("&(?:#|amp;|lt;|gt;|quot;|apos;)"),
        "\\": re.compile(rf"\\(?:(?:{unicode}|x){digits}{itself})"),
    }


def _levels(text: str, after_backslash: Mapping[str, str] = _AFTER_BACKSLASH) -> _View:
    """Decode escapes, and those that come out of it, as of JSON in a URL in HTML.

    :param after_backslash: what a backslash makes of a letter
    """
    levels: _View = []
    decoded = partial(_character, after_backslash=after_backslash)
    while len(levels) < _MAX_LEVELS and (level := _Rewritten(text, _ESCAPE, decoded)).is_changed:
        levels.append(level)
        text = level.text
    return levels


def _spans(text: str, needle: str) -> Iterator[tuple[int, int]]:
    start = text.find(needle)
    while start >= 0:
        yield start, start + len(needle)
        start = text.find(needle, start + len(needle))


def _character(escape: re.Match[str], *, after_backslash: Mapping[str, str]) -> str:
    kind, value = escape.lastgroup, escape[escape.lastgroup or 0]
    if kind == "itself":
        return after_backslash.get(value, value)
    if kind == "named":
        return _NAMED[value]
    number = int(value, 10 if kind == "decimal" else 16)
    return chr(number) if number < 0x110000 else "\ufffd"


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    pieces, done = [], 0
    for start, end in sorted(spans):
        if start >= done:
            pieces += [text[done:start], HIDDEN]
        done = max(done, end)
    return "".join([*pieces, text[done:]])


def _in_base64(secret: str) -> Iterator[str]:
    """How base64 writes a text, whatever stands before and behind it, in both alphabets."""
    for before in range(3):
        content = b"\0" * before + _as_bytes(secret)
        whole = base64.b64encode(content).decode()[-(-before * 8 // 6) : len(content) * 8 // 6]
        yield from {whole, whole.replace("+", "-").replace("/", "_")}


def _in_hexadecimal(secret: str) -> Iterator[str]:
    digits = _as_bytes(secret).hex()
    yield from (digits, digits.upper())


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decoded_base64(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _longest_first(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted((each for each in texts if len(each) >= MIN_CHARACTERS), key=len, reverse=True))


def _masked_member(value: Any, mask: Mask, *, is_free: bool) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [_masked_member(each, mask, is_free=is_free) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, member in value.items():
        inside = is_free or key in _FREE
        is_kept = not inside and key in _KEPT and isinstance(member, str)
        of_member = _mask if key in _WORDS else mask
        found[mask(key) if inside else key] = member if is_kept else _masked_member(member, of_member, is_free=inside)
    return found


_lock = Lock()
#: Secrets, the latest last; True for one that may be a name.
_remembered: OrderedDict[str, bool] = OrderedDict()
_mask = Mask(())
_mask_of_data = Mask(())
