"""Memory that does not grow: a short form of `python -m tests.faults.soak`."""

import pytest

from tests.faults.soak import slope, soak
from tests.postgres import TestPlace


@pytest.mark.slow
def test_f52_ten_thousand_documents_leave_no_memory_behind(place: TestPlace):
    memory = soak(place, 10_000, every=500, n_jobs=300, n_lines=8)
    assert slope(memory, 500) < 4.0, memory  # over so short a time an allocator's habits show


def test_f52_a_leak_would_be_seen():
    assert slope([100.0 + 0.1 * n for n in range(20)], 500) == pytest.approx(2.0)
