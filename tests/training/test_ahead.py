"""Batches made ahead of the loop."""

import threading

import numpy as np
import pytest

from training.ahead import ahead
from training.masks import order


def test_results_come_in_order_and_no_more_than_needed_are_made() -> None:
    made: list[int] = []
    held = threading.Event()

    def make(number: int) -> int:
        if number == 0:
            held.wait(5)  # the first is the last to be done
        made.append(number)
        return number * number

    results = ahead(make, range(8), 2)
    threading.Timer(0.05, held.set).start()
    assert next(results) == 0
    assert max(made) <= 2
    assert list(results) == [n * n for n in range(1, 8)]
    assert sorted(made) == list(range(8))


def test_they_are_made_while_the_loop_is_busy() -> None:
    second = threading.Event()

    def make(number: int) -> int:
        if number == 1:
            second.set()
        return number

    results = ahead(make, range(3), 1)
    assert next(results) == 0
    assert second.wait(5), "made before it was asked for"
    assert list(results) == [1, 2]


def test_an_error_is_raised_where_its_batch_is_due() -> None:
    def make(number: int) -> int:
        if number == 2:
            raise ValueError("broken shard")
        return number

    results = ahead(make, range(6), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="broken shard"):
        next(results)


def test_an_order_can_be_entered_anywhere() -> None:
    whole = order(7, 3, np.arange(21))
    assert all(sorted(whole[p : p + 7]) == list(range(7)) for p in (0, 7, 14))
    np.testing.assert_array_equal(order(7, 3, np.arange(5, 16)), whole[5:16])
    assert (whole[:7] != whole[7:14]).any()
