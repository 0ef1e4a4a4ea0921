"""One BLAS thread while a kernel runs: its matrices are small and many, and two are slower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit linear algebra to one thread inside a `with` block, or in a decorated function.

    Yields
    ------
    None
        The number of threads is what it was afterwards.

    Examples
    --------
    >>> import numpy as np
    >>> with one_thread():
    ...     float(np.linalg.det(np.eye(2)))
    1.0
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
