from __future__ import annotations

import base64
import html
import json
import pickle
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import BenchmarkError, ServiceError
from airflow_provider_benchmarks.masking import (
    forget_secrets,
    mask_chain,
    masked,
    masked_content,
    masked_values,
    register_secrets,
    secrets_of,
)

TOKEN = "nvapi-A/b+c=d.e_f~g"


def every_character(write):
    return lambda text: "".join(write(ord(character)) for character in text)


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


def test_what_caused_an_error():
    register_secrets([TOKEN])
    inner, outer = ValueError(f"inner {TOKEN}", 5), OSError(f"outer {TOKEN}")
    outer.__cause__ = inner
    inner.__context__ = outer
    mask_chain(outer)
    assert (inner.args, outer.args) == (("inner ***", 5), ("outer ***",))


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
