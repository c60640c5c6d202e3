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
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Any

from airflow_provider_benchmarks.echoes import MIN_CHARACTERS, Mask
from airflow_provider_benchmarks.inert import inert_text
from airflow_provider_benchmarks.storable import storable_text

#: Number of secrets that are remembered, the latest. A token that is renewed each hour must not fill the memory.
_MAX_REMEMBERED = 256
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


def _decoded_base64(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


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
