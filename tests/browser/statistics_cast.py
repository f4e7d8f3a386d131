"""Numbers for the statistics' page: every client of the cast with something to tell, and a hundred runs."""

import random
import struct
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from dqmsquare.statistics import Numbers, StatisticsTable
from dqmsquare.statistics.numbers import records_of
from dqmsquare.storage.statistics import ClientEnds, RunGroup, client_ends, runs_by_key, runs_by_release
from dqmsquare.storage.statistics_rates import (
    ClientRate,
    RateOfLumis,
    RateOfRuns,
    client_rates,
    rates_by_lumis,
    rates_by_run,
)
from dqmsquare.storage.statistics_runs import RunFacts, run_facts
from dqmsquare.storage.statistics_selection import Selection

_FIRST, _N_RUNS = 398121, 100
_KINDS = ("collisions", "cosmics")
_BEGAN_AT = datetime(2026, 4, 20, 8, 0, tzinfo=UTC)


def a_selection(*, newest_run: int | None, run_key: str | None, stuck_after_seconds: float) -> Selection | None:
    """Where a cluster has a run, a hundred of them."""
    if newest_run is None:
        return None
    return Selection(
        first=_FIRST,
        last=_FIRST + _N_RUNS - 1,
        n_runs=_N_RUNS,
        run_key=run_key,
        stuck_after_seconds=stuck_after_seconds,
    )


def a_picture() -> bytes:
    """A grey PNG of four by three pixels: drawing is tried elsewhere, and takes a second."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = zlib.compress(b"\0\x88\x88\x88\x88" * 3)
    head = struct.pack(">IIBBBBB", 4, 3, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def the_numbers(tables: Sequence[StatisticsTable], selection: Selection, tags: Sequence[str]) -> list[Numbers]:
    """What read_numbers would say."""
    rows = _rows(tags)
    return [Numbers(table, selection, records_of(table, rows[table.read])) for table in tables]


def _rows(tags: Sequence[str]) -> dict[object, list]:
    chance = random.Random(8)
    return {
        client_ends: [_ends(tag, chance) for tag in tags],
        runs_by_key: [
            _group("pp_run", "collisions", 70),
            _group("cosmic_run", "cosmics", 29),
            _group(None, "other", 1),
        ],
        runs_by_release: [_group("15_0_4_47120", None, 60), _group("15_0_3", None, 40)],
        client_rates: [_rate(kind, tag, chance) for kind in _KINDS for tag in tags],
        rates_by_run: [
            RateOfRuns(kind=kind, tag=tag, first_run=run, last_run=run + 4, n_runs=5, mean_hz=mean, sigma_hz=mean / 6)
            for kind in _KINDS
            for tag in tags
            for run in range(_FIRST, _FIRST + _N_RUNS, 5)
            for mean in [20 + chance.random() * 9]
        ],
        rates_by_lumis: [
            RateOfLumis(kind=kind, tag=tag, first_lumi=low, last_lumi=high, n_runs=9, mean_hz=mean, sigma_hz=mean / 6)
            for kind in _KINDS
            for tag in tags
            for low, high in ((1, 9), (10, 19), (100, 199), (500, None))
            for mean in [20 + chance.random() * 9]
        ],
        run_facts: [_facts(run, chance) for run in reversed(range(_FIRST, _FIRST + _N_RUNS))],
    }


def _ends(tag: str, chance: random.Random) -> ClientEnds:
    n_crashed, n_failed, n_stuck, n_gone = (max(0, chance.randint(-4, 3)) for _ in range(4))
    n_bad = n_crashed + n_failed + n_stuck
    return ClientEnds(
        tag=tag, n_runs=_N_RUNS, n_bad_runs=n_bad, n_jobs=_N_RUNS, n_finished=_N_RUNS - n_bad - n_gone - 3, n_stopped=2,
        n_crashed=n_crashed, n_failed=n_failed, n_stuck=n_stuck, n_input_gone=n_gone, n_open=1,
    )  # fmt: skip


def _group(name: str | None, kind: str | None, n_runs: int) -> RunGroup:
    return RunGroup(
        name=name, kind=kind, n_runs=n_runs, n_bad_runs=n_runs // 9, n_lumis=n_runs * 211, n_jobs=n_runs * 31,
        first_run=_FIRST, last_run=_FIRST + n_runs - 1,
    )  # fmt: skip


def _rate(kind: str, tag: str, chance: random.Random) -> ClientRate:
    mean = chance.choice((2, 14, 40)) * (1 + chance.random())
    return ClientRate(
        kind=kind, tag=tag, n_runs=50, mean_hz=mean, sigma_hz=mean / 5, lowest_hz=mean / 2, highest_hz=mean * 2
    )


def _facts(run: int, chance: random.Random) -> RunFacts:
    began_at = _BEGAN_AT + timedelta(hours=2 * (run - _FIRST))
    return RunFacts(
        run=run, run_key="pp_run" if run % 3 else "cosmic_run", release="15_0_4_47120", started_at=began_at,
        start_estimated=run % 10 == 0, stopped_at=began_at + timedelta(minutes=95),
        mean_delay_seconds=5 + chance.random() * 9, sigma_delay_seconds=2 + chance.random(), last_lumi=244,
        n_events=chance.randint(40_000, 4_000_000), n_bytes=chance.randint(10**9, 10**11), n_jobs=31,
        n_crashed=int(chance.random() < 0.1), n_failed=int(chance.random() < 0.1), n_stuck=0, n_input_gone=0,
    )  # fmt: skip
