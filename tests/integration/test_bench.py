"""The measurements run and give figures that can be read, at sizes too small to mean anything."""

import importlib
import inspect
import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench import cluster_status, first_api, kept, open_pages, query_growth
from bench.__main__ import MEASUREMENTS
from bench.figures import Figure, table
from tests.postgres import TestPlace

SMALL: dict[ModuleType, dict[str, Any]] = {
    first_api: {"n_runs": 30, "ranges": (20,), "seconds": 1.0, "rounds": 1},
    open_pages: {"n_pages": 10, "n_commits": 2},
    cluster_status: {"days": (1, 2, 3)},
    query_growth: {"sizes": (10, 20)},
}


@pytest.mark.parametrize("module", SMALL, ids=lambda module: module.__name__)
def test_a_measurement_gives_figures(place: TestPlace, tmp_path: Path, module):
    figures = module.measure(place, tmp_path, **SMALL[module])
    assert len(figures) >= 5
    assert len({figure.what for figure in figures}) == len(figures)  # what they are compared by
    assert all(math.isfinite(figure.seen) and figure.seen >= 0 for figure in figures)
    assert any(figure.is_met is not None for figure in figures)
    assert len(table(figures).splitlines()) >= len(figures) + 2
    json.dumps([figure.as_json() for figure in figures])


def test_every_measurement_is_there():
    """And takes the sizes it is called with, which most of them are here never called with."""
    for name, sizes in MEASUREMENTS.items():
        measure = inspect.signature(importlib.import_module(f"bench.{name}").measure)
        for of_a_run in sizes:
            measure.bind("place", "folder", **of_a_run)


@pytest.mark.parametrize(
    ("figure", "is_met", "must_show"),
    [
        (Figure(what="x", unit="answers/s", seen=21, todays=1, times_todays=20), True, "over 20 times today's"),
        (Figure(what="x", unit="answers/s", seen=19, todays=1, times_todays=20), False, "over 20 times today's"),
        (Figure(what="x", unit="s", seen=1, todays=11, is_cost=True, times_todays=10), True, "over 10 times today's"),
        (Figure(what="x", unit="s", seen=2, todays=11, is_cost=True, times_todays=10), False, "over 10 times today's"),
        (Figure(what="x", unit="answers/s", seen=3, limit=10, of_limit=0.4), False, "over 0.4 of the limit"),
        (Figure(what="x", unit="KB", seen=7.9, less_than=8), True, "under 8 KB"),
        (Figure(what="x", unit="s", seen=5, more_than=1, less_than=4), False, "over 1 s, under 4 s"),
        (Figure(what="x", unit="s", seen=5, times_todays=2), False, "over 2 times today's"),  # nothing to compare with
        (Figure(what="x", unit="s", seen=5), None, ""),
    ],
)
def test_a_figure_says_whether_what_must_show_does(figure, is_met, must_show):
    assert (figure.is_met, figure.must_show) == (is_met, must_show)


def test_results_are_kept_and_compared_with_the_last(tmp_path):
    before = Figure(what="x", unit="answers/s", seen=100, todays=10)
    kept.keep({"first": [before]}, tmp_path)
    same_ratio = Figure(what="x", unit="answers/s", seen=500, todays=48)  # another machine
    worse = Figure(what="x", unit="answers/s", seen=100, todays=20)
    last = kept.last(tmp_path)
    assert kept.differences([same_ratio, Figure(what="new", unit="s", seen=1)], last) == []
    assert kept.differences([worse], last) == ["x: times today's 5, the last time 10"]
