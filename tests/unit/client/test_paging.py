from __future__ import annotations

import pytest

from airflow_provider_benchmarks.client._paging import MAX_PAGES, Pages
from airflow_provider_benchmarks.exceptions import ProtocolError
from airflow_provider_benchmarks.jobs import BenchmarkJob


def read_all(numbers_of_pages: list[int]) -> list[int]:
    """The pages that are read of a list that has these numbers of pages one after the other, and the last for ever."""
    pages, read = Pages(), []
    while pages.left:
        read.append(pages.next)
        pages.has_read(numbers_of_pages[min(len(read), len(numbers_of_pages)) - 1])
    return read


@pytest.mark.parametrize(
    ("numbers_of_pages", "read"),
    [([0], 1), ([1], 1), ([3], 3), ([3, 5], 5), ([5, 2], 2), ([*range(2, 1000)], 12)],
)
def test_pages_are_read_to_the_end_of_a_list_that_may_grow_or_shrink(numbers_of_pages, read):
    assert read_all(numbers_of_pages) == [*range(1, read + 1)]


def test_a_list_that_grows_all_the_time_ends_with_a_warning(caplog):
    read_all([*range(2, 1000)])
    assert "grows while it is read: from 2 pages at least to 13. What is behind page 12 is left out" in caplog.text
    caplog.clear()
    read_all([3, 5, 13])
    assert not caplog.text


def test_the_number_of_pages_left():
    pages = Pages()
    assert pages.left == 1
    pages.has_read(4)
    assert (pages.next, pages.left) == (2, 3)


def jobs(*names: str) -> list[BenchmarkJob]:
    return [BenchmarkJob(name=name, workspace="ws", status="active") for name in names]


def test_a_job_that_was_pushed_onto_the_next_page_counts_once():
    pages = Pages()
    assert pages.has_read(2, jobs("c", "b")) == jobs("c", "b")
    assert pages.has_read(2, jobs("b", "a")) == jobs("a")
    assert pages.left == 0


def test_a_list_ends_at_a_page_that_has_no_new_job():
    pages = Pages()
    pages.has_read(1000, jobs("b"))
    pages.has_read(1000, jobs("a"))
    assert pages.left == 998
    assert pages.has_read(1000, jobs("b", "a")) == []
    assert pages.left == 0


def test_an_empty_page_is_followed_by_others():  # the service filters pages that it has cut already
    pages = Pages()
    pages.has_read(3)
    pages.has_read(3)
    assert pages.left == 1


def test_a_list_ends_at_a_most():
    pages = Pages()
    for _ in range(MAX_PAGES):
        pages.has_read(10**9)
    with pytest.raises(ProtocolError, match="goes on after 5,000 pages"):
        pages.has_read(10**9)
