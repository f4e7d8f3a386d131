"""Reads many numbers at once where all are written plainly, as they are but for faults."""

import re
from typing import TypeGuard

import orjson

_PLAIN = re.compile(r"[0-9.,]*", re.ASCII)


def plain_numbers(joined: str, n_numbers: int) -> list[int] | list[float] | None:
    """The numbers of a text that has commas between them; None unless it is so many, of digits and a point alone.

    >>> plain_numbers("1,2.5", 2), plain_numbers("1,2", 3), plain_numbers("1,-2", 2), plain_numbers("1,,2", 3)
    ([1, 2.5], None, None, None)
    """
    if not _PLAIN.fullmatch(joined):
        return None
    try:
        numbers: list[int] | list[float] = orjson.loads(f"[{joined}]")
    except orjson.JSONDecodeError:  # 007, 1. and .5 among them
        return None
    return numbers if len(numbers) == n_numbers else None


def are_integers_below(numbers: list[int] | list[float] | None, limit: int) -> TypeGuard[list[int]]:
    """Whether these are numbers, all of them whole and below the limit."""
    return numbers is not None and not {type(n) for n in numbers} - {int} and max(numbers, default=0) < limit
