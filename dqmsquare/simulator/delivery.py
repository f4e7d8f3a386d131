"""The files that a BU delivers, lumisection by lumisection: when each came, how large it was."""

from functools import lru_cache

from dqmsquare.simulator.clients import LUMI_SECONDS, STORAGE_MANAGER, STREAMS, dice, events_of_lumis

Columns = dict[str, list[int] | list[float]]
USUAL_DELAY_SECONDS = 21.0  # from the end of a lumisection to its file, as in run 358788
_BYTES_PER_EVENT = {"streamDQM": 110_000, "streamDQMCalibration": 3_100, "streamDQMHistograms": 30}
_EMPTY_FILE_BYTES = 363_932  # of a file without events, likewise
_LATE = 0.03  # part of the lumisections that come late
_UNREADABLE = 0.004  # part of the files that the analysis could not open


@lru_cache(maxsize=256)
def _arrivals(run: int, stream: str, n_lumis: int) -> tuple[tuple[float, bool], ...]:
    """Delay in seconds and readability of each file; the beginning does not depend on `n_lumis`."""
    chance = dice("delay", run, stream)
    arrivals = []
    for _ in range(n_lumis):
        late = chance.uniform(15.0, 70.0) if chance.random() < _LATE else 0.0
        delay = max(0.5, chance.gauss(USUAL_DELAY_SECONDS, 1.5)) + late
        arrivals.append((delay, chance.random() >= _UNREADABLE))
    return tuple(arrivals)


def streams_until(
    run: int, run_key: str, *, started_at: float, until: float, n_lumis: int, lumi_seconds: float
) -> dict[str, Columns]:
    """The streams of a `dqm-files` document: equally long columns of what had come by `until` (s since 1970)."""
    n_begun = min(n_lumis, max(0, int((until - started_at) / lumi_seconds)))
    # Drawn for whole blocks of lumisections, so that a growing run finds them in the cache.
    n_drawn = -(-n_begun // 128) * 128
    streams = {}
    for stream in STREAMS:
        accepted = events_of_lumis(run, stream, run_key, n_drawn)[:n_begun]
        files = []
        for n, ((delay, readable), events) in enumerate(
            zip(_arrivals(run, stream, n_drawn), accepted, strict=False), 1
        ):
            at = started_at + n * lumi_seconds + delay * lumi_seconds / LUMI_SECONDS
            if at <= until:
                files.append((n, at, events if readable else -1))
        streams[f"{stream}_{STORAGE_MANAGER}"] = _columns(files, _BYTES_PER_EVENT.get(stream, 2_000))
    return streams


def _columns(files: list[tuple[int, float, int]], bytes_per_event: int) -> Columns:
    return {
        "lumis": [n for n, _, _ in files],
        "mtimes": [at for _, at, _ in files],
        "ctimes": [at + 0.002 for _, at, _ in files],
        "evt_processed": [-1 if events < 0 else events * 8 + 4000 for _, _, events in files],
        "evt_accepted": [events for _, _, events in files],
        "fsize": [-1 if events < 0 else _EMPTY_FILE_BYTES + events * bytes_per_event for _, _, events in files],
    }
