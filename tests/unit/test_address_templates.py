from __future__ import annotations

import pytest

from airflow_provider_benchmarks.address_templates import filled_address, is_address
from airflow_provider_benchmarks.exceptions import ConfigurationError

FIELDS = {"base_url": "https://e.example.com/gateway/", "workspace": "my ws", "job_name": "a&b#c?d\ud800"}


def filled(template: str) -> str:
    return filled_address(template, FIELDS, option="[benchmarks] job_url")


def test_values_are_percent_encoded_and_the_base_url_is_not():
    assert filled("{base_url}/ui/{workspace}?job={job_name}") == (
        "https://e.example.com/gateway/ui/my%20ws?job=a%26b%23c%3Fd%EF%BF%BD"
    )


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("https://e.example.com/{jobname}", r"\{jobname\} is none of its fields"),
        ("https://e.example.com/{job_name.__class__}", "none of its fields"),
        ("https://e.example.com/{job_name!r}", r"\{job_name\} takes no !r"),
        ("https://e.example.com/{job_name:>99999999}", r"\{job_name\} takes no :>99999999"),
        ("https://e.example.com/{job_name!s:>9}", r"\{job_name\} takes no !s:>9"),
        ("https://e.example.com/{}", "none of its fields"),
        ("https://e.example.com/{job_name", "expected '}'"),
        ("javascript:alert({job_name})", "no http or https address"),
        ("https://user:secret@e.example.com/", "no http or https address"),
        ("https:///{job_name}", "no http or https address"),
        ("https://e.example.com/ {job_name}", "no http or https address"),
        ("https://[e/{job_name}", "no http or https address"),
    ],
)
def test_a_template_that_gives_no_address_is_named(template, problem):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        filled(template)
    assert str(caught.value).startswith(f'[benchmarks] job_url = "{template}": ')
    assert str(caught.value).count("[benchmarks] job_url") == str(caught.value).count("It may have") == 1
    assert str(caught.value).endswith("It may have {base_url}, {workspace}, {job_name}.")


@pytest.mark.parametrize(
    "text", ["", "x", "file:///x", "s3://b/x", "//e.example.com/x", "http://", 'https://e/"', "\0"]
)
def test_what_is_no_address(text):
    assert not is_address(text)
