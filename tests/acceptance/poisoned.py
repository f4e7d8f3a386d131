"""Documents with a secret in one place each: whatever place a reader forgets, one of them shows it."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from dqmsquare.simulator.documents import (
    diskspace_document,
    files_document,
    job_document,
    playback_document,
    release_document,
    stats_document,
)

USER = "mallory"
POISON = f"fu-c2f11-11-01.cms /nfshome0/{USER}/x 10.176.60.24 password=canary-poison pid41554"
POISONED_RUN = 377_001
_AT = 1_700_000_000.0
_FEW = 2  # of a long list or mapping
_LONG = 24

Place = tuple[Any, ...]


def poisoned_documents(host: str) -> Iterator[dict[str, Any]]:
    """Each kind of document as often as it has places, with the poison in another one of them each time."""
    for document in (
        job_document(host, POISONED_RUN, "beam_dqm_sourceclient-live", 41_554, lumi=3, reported_at=_AT, exit_code=-11),
        files_document(host, POISONED_RUN, started_at=_AT, reported_at=_AT + 60, n_lumis=2),
        playback_document(host, POISONED_RUN),
        diskspace_document(host),
        stats_document(host, at=_AT),
        release_document(host, built_at=_AT),
    ):
        for number, place in enumerate(_places(document)):
            made = copy.deepcopy(document)
            _put(made, place)
            yield made | {"_id": f"{document['_id']}{number:04d}"}


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    """The way to each value, and, with a None at its end, to a key beside each."""
    if isinstance(value, Mapping) and value:
        yield (*place, None)
        for key in list(value)[: _FEW if place and len(value) > _LONG else None]:
            yield from _places(value[key], (*place, key))
    elif isinstance(value, list) and value:
        for index in range(len(value))[: _FEW if len(value) > _LONG else None]:
            yield from _places(value[index], (*place, index))
    elif place != ("_id",):
        yield place


def _put(document: Any, place: Place) -> None:
    *way, last = place
    for step in way:
        document = document[step]
    if last is None:
        document[POISON] = next(iter(document.values()))
    else:
        name, is_setting, _ = str(document[last]).partition("=")
        document[last] = f"{name}={POISON}" if is_setting and name.isalpha() else POISON
