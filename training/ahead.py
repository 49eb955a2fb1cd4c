"""Batches made before they are asked for.

Belongs here: threads that work ahead of the training loop. Never here: what a batch is.

A batch is a function of its number alone, so who makes it, and when, changes nothing. Reading a
tile is decompressing and array arithmetic, which leave Python's lock to others.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(make: Callable[[int], T], numbers: Iterable[int], threads: int) -> Iterator[T]:
    """What `make` makes of each number, in their order; each thread is at most one ahead.

    Args:
        make: Called from several threads at once.
        numbers: Of what is made.
        threads: That make it.

    Raises:
        Exception: What `make` raised, where its result is due.
    """
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        try:
            for number in numbers:
                waiting.append(pool.submit(make, number))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
