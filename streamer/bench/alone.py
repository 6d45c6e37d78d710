"""A measurement in a fresh process, so that nothing measured before it is measured again."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def run(measure: Callable[[int], T], size: int) -> T:
    """What ``measure(size)`` gives in a process started for it."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
        return pool.submit(measure, size).result()
