from __future__ import annotations

import base64
import html
import json
import pickle
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.client._response_body import parsed
from airflow_provider_benchmarks.exceptions import BenchmarkError, ServiceError
from airflow_provider_benchmarks.inert import inert_text
from airflow_provider_benchmarks.masking import (
    forget_secrets,
    masked,
    masked_content,
    masked_values,
    register_secrets,
    secrets_of,
)

TOKEN = "nvapi-A/b+c=d.e_f~g"


def every_character(write):
    return lambda text: "".join(write(ord(character)) for character in text)


_HTML_NAMES = {"/": "sol", "+": "plus", "=": "equals", ":": "colon", "_": "lowbar", "-": "hyphen", ".": "period"}
ENCODINGS = {
    "as it is": str,
    "percent": lambda text: quote(text, safe=""),
    "percent, lower case": lambda text: quote(text, safe="").lower().replace(text.lower(), text),
    "every character in percent": every_character("%{:02x}".format),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON with slashes escaped": lambda text: text.replace("/", "\\/"),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text.replace("/", "\\/"))),
    "every character in JSON": every_character("\\u{:04x}".format),
    "every character in JSON, in JSON": lambda text: json.dumps(every_character("\\u{:04x}".format)(text)),
    "Python's own": every_character("\\x{:02x}".format),
    "HTML": html.escape,
    "HTML with all its names": lambda text: html.escape(text).translate(
        {ord(sign): f"&{name};" for sign, name in _HTML_NAMES.items()}
    ),
    "signs in HTML, as browsers take them": lambda text: re.sub(r"[^\w&;#]", lambda f: f"&#0000000{ord(f[0])};", text),
    "signs in HTML without an end": lambda text: re.sub(r"[^\w&;#](?!\d)", lambda found: f"&#{ord(found[0])}", text),
    "every character in HTML": every_character("&#{};".format),
    "every character in HTML, hexadecimal": every_character("&#x{:X};".format),
}


@pytest.mark.parametrize("write", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("token", [TOKEN, "a\\b%41&lt;cdefg", "s3cr3t", "1234567"])
def test_a_secret_is_found_in_every_encoding(write, token):
    register_secrets([token])
    shown = masked(f'before "{write(token)}" behind')
    assert "***" in shown
    assert write(token) not in shown
    assert shown.startswith('before "')
    assert shown.endswith('" behind')


SPLIT = ["\x1b[31m", "\x1b[0m\x1b[1;32m", "\x1b]8;;https://a.example\x07", "\x1b]0;t\x1b\\", "\x1bc", "\x9b1m"]
SPLIT += [" \n", "  \t\r\n ", "<br>", " <BR />\n", "<wbr>"]
SPLIT += ["\u034f", "\u061c", "\u180e", "\ufe0f", "\u3164"]
SPLIT += ["\0", "\r", "\n", "\r\n", "\n    ", "\r\n\t", "\b", "\x7f", "\x85", "\u2028", "\u200b", "\u202e", "\xad"]


@pytest.mark.parametrize("splitter", SPLIT, ids=ascii)
@pytest.mark.parametrize(
    "write", [str, json.dumps, lambda text: json.dumps(json.dumps(text))], ids=["", "JSON", "twice"]
)
@pytest.mark.parametrize("token", [TOKEN, "s3cr3t-w0rd"])
@pytest.mark.parametrize("every", [1, 4, 7])
def test_a_secret_that_something_splits(token, splitter, write, every):
    register_secrets([token])
    split = splitter.join(token[start : start + every] for start in range(0, len(token), every))
    shown = masked(f"before {write(f'[{split}]')} behind")
    assert shown.startswith("before ")
    assert shown.endswith("] behind" if write is str else '" behind')
    assert "[***]" in shown
    assert token not in inert_text(masked(split))
    assert token not in inert_text(split) or masked(inert_text(split)) == "***"
    body = json.dumps({"data": [{"message": f"a {split}", "job": "run-1"}]}).encode()
    assert parsed(body) == {"data": [{"message": "a ***", "job": "run-1"}]}


@pytest.mark.parametrize("blank", ["+", "&nbsp;", "\n", "  ", "\xa0", "%20", "\r\n\t", "&#32;", "%2B", " \n ", "\\n"])
def test_a_secret_of_several_words(blank):
    register_secrets(["my secret pass phrase"])
    assert masked(f"a my{blank}secret{blank}pass{blank}phrase b") == "a *** b"
    other = f"a my{blank}secret{blank}other{blank}phrase b"
    assert masked(other) == other
    body = json.dumps({"message": f"a my{blank}secret{blank}pass{blank}phrase b"}).encode()
    assert parsed(body) == {"message": "a *** b"}


def test_a_text_that_is_split_and_has_no_secret_stays():
    register_secrets([TOKEN])
    text = '\x1b[31mred\x1b[0m\r\n\tline\0 {"a": "\\u001b[0m\\nb"}'
    assert masked(text) is text
    body = json.dumps({"message": text}).encode()
    assert masked_content(body) is body
    assert parsed(body) == {"message": text}


@pytest.mark.parametrize("encode", [base64.encodebytes, lambda data: base64.encodebytes(data).replace(b"\n", b"\r\n")])
def test_base64_in_lines_as_in_mail(encode):
    register_secrets([TOKEN])
    lines = encode(b"x" * 50 + TOKEN.encode() + b"y" * 60).decode()
    for text in (lines, json.dumps(lines), json.dumps(json.dumps(lines))):
        shown = masked(text)
        assert shown.count("***") == 1
        left = "".join(shown.replace("***", "").split())
        assert len(re.sub(r"\\+[rn]|\W", "", left)) <= len(re.sub(r"\s", "", lines)) - len(TOKEN) * 8 // 6 + 2


@pytest.mark.parametrize("write", [str.lower, str.upper])
def test_hexadecimal(write):
    register_secrets([TOKEN])
    digits = write(TOKEN.encode().hex())
    assert masked(f"0x{digits}00") == "0x***00"
    assert masked(digits[:20] + "\n" + digits[20:]) == "***"


@pytest.mark.parametrize("before", ["", "a", "ab", "Bearer ", '{"key": "'])
@pytest.mark.parametrize("behind", ["", "x", "xy"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_whatever_holds_it(before, behind, encode):
    register_secrets([TOKEN])
    encoded = encode(f"{before}{TOKEN}{behind}".encode()).decode()
    left = masked(encoded).split("***")
    assert len(left) == 2
    assert len("".join(left)) <= len(encoded) - len(TOKEN) * 8 // 6 + 2
    for text in (quote(encoded, safe=""), encoded.replace("/", "\\/")):
        assert "***" in masked(text)


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("abcdef", {"abcdef"}),
        (" Bearer abcdef ", {"Bearer abcdef", "abcdef"}),
        ("Bearer abc", {"Bearer abc"}),
        (
            "Basic " + base64.b64encode(b"me:s3cr3t").decode(),
            {"Basic bWU6czNjcjN0", "bWU6czNjcjN0", "me:s3cr3t", "s3cr3t"},
        ),
        ("Basic no+base64", {"Basic no+base64", "no+base64"}),
        ("session=abcdef; theme=dark", {"session=abcdef; theme=dark", "theme=dark", "abcdef"}),
        ('Token token="abcdef"', {'Token token="abcdef"', 'token="abcdef"', "abcdef"}),
        ("short", set()),
        ("", set()),
    ],
)
def test_what_is_secret_of_a_value(value, parts):
    assert set(secrets_of(value)) == parts


def test_a_short_value_is_not_masked():
    register_secrets(["ab", "Bearer no"])
    assert masked("about Bearer ab") == "about Bearer ab"


def test_the_latest_secrets_are_remembered_and_no_more():
    register_secrets([f"secret-{number}" for number in range(1000)])
    assert masked("secret-0 secret-999") == "secret-0 ***"
    register_secrets(["secret-744"])
    register_secrets([f"other-{number}" for number in range(255)])
    assert masked("secret-744") == "***"


def test_errors_and_their_pickles():
    register_secrets([f"Bearer {TOKEN}"])
    error = ServiceError(f"it said {TOKEN}", detail=quote(TOKEN, safe=""), job="job-1")
    copy = pickle.loads(pickle.dumps(error))
    for each in (error, copy, BenchmarkError(TOKEN)):
        assert TOKEN not in f"{each} {each!r} {vars(each)}"
    assert copy.job == "job-1"
    assert quote(TOKEN, safe="").encode() not in pickle.dumps(error)


@pytest.mark.parametrize("before", [0, 20, 60, 75, 150, 190, 195])
def test_what_is_cut_is_masked_first(before):
    secret = "".join(f"{number:02}" for number in range(40))
    register_secrets([secret])
    text = "x" * before + secret + "y" * 500
    for shown in (shortened(text), brief(text), brief([text]), brief({"a": [text]}), shortened([text]), brief(secret)):
        assert not [place for place in range(len(secret) - 9) if secret[place : place + 10] in shown]


def test_answers_keep_the_names_by_which_they_are_compared():
    register_secrets(["nightly"])
    job = {"name": "nightly-1", "spec": {"name": "nightly-1", "nightly": [1]}, "error_details": {"message": "nightly"}}
    assert masked_values({"data": [job], "next_page": "nightly"}) == {
        "data": [{"name": "nightly-1", "spec": {"name": "***-1", "***": [1]}, "error_details": {"message": "***"}}],
        "next_page": "nightly",
    }


def test_bodies_in_any_unicode():
    register_secrets([TOKEN])
    body = json.dumps({"detail": TOKEN})
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert TOKEN not in masked_content(body.encode(encoding)).decode()
    untouched = b'{"detail": "nothing"}'
    assert masked_content(untouched) is untouched


@given(st.text(alphabet="ab%25\\u0041&amp;#x;{}", max_size=60), st.text(alphabet="ab%4\\u01&;", min_size=6, max_size=9))
def test_no_text_makes_it_fail(text, secret):
    forget_secrets()
    register_secrets([secret])
    shown = masked(f"{text}{secret}{text}")
    assert secret not in shown
    assert masked("x" * 20) == "x" * 20
