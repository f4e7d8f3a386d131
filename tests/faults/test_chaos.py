"""A minute of chaos, always the same one; `make chaos` has ten, and another one each time."""

from pathlib import Path

import pytest

from tests.chaos.run import run


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_minute_of_chaos_loses_nothing(tmp_path: Path):
    report = run(tmp_path, seconds=60, seed=1, patience=5.0)
    assert report.problems == [], report
