from __future__ import annotations

import pytest

from airflow_provider_benchmarks.client._paging import Pages


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


def test_the_number_of_pages_left():
    pages = Pages()
    assert pages.left == 1
    pages.has_read(4)
    assert (pages.next, pages.left) == (2, 3)
