"""Logs, series and deliveries as PostgreSQL keeps them: zstd, with a dictionary where bodies are small and alike.

A frame names the dictionary it was made with, so that bodies of all times are read: a dictionary in the folder beside
is never changed or taken away; a better one gets the next number and is used from then on.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import zstandard

FOLDER = Path(__file__).parent / "dictionaries"
_PLAIN = zstandard.ZstdCompressionParameters.from_level(3)
_PARAMETERS = {
    # As small as level 9 makes a log of 30 KB, in half the time.
    "logs": zstandard.ZstdCompressionParameters(
        window_log=17,
        chain_log=16,
        hash_log=16,
        search_log=2,
        min_match=5,
        target_length=16,
        strategy=zstandard.STRATEGY_LAZY2,
        write_dict_id=1,
    ),
    "series": zstandard.ZstdCompressionParameters.from_level(6, source_size=4096, write_dict_id=1),
}
_MAX_BYTES = 64 * 2**20  # a frame that claims more is not ours
_codecs = threading.local()  # zstandard's objects must not be shared between threads


@dataclass(frozen=True, slots=True)
class Body:
    """What is to be stored, not compressed yet and not empty; `kind` names the dictionary."""

    kind: str
    raw: bytes


def text_body(text: str) -> Body:
    """A log, as UTF-8."""
    return Body("logs", text.encode("utf-8", "replace"))


def json_body(value: object, kind: str = "") -> Body:
    """JSON; tuples become lists."""
    return Body(kind, orjson.dumps(value))


def pack(bodies: Sequence[Body]) -> list[bytes]:
    """The bodies of a column, all of one kind, compressed in one go: meanwhile other threads compute."""
    if not bodies:
        return []
    packed = _compressor(bodies[0].kind).multi_compress_to_buffer([body.raw for body in bodies])
    return [packed[n].tobytes() for n in range(len(packed))]


def unpack_text(body: bytes) -> str:
    """What text_body was given."""
    return _decompress(body).decode("utf-8")


def unpack_json(body: bytes) -> Any:
    """What json_body was given."""
    return orjson.loads(_decompress(body))


def differences(values: Sequence[int]) -> list[int]:
    """The first value, then from each to the next: itertools.accumulate() gives the values again."""
    return [*values[:1], *(after - before for before, after in pairwise(values))]


@cache
def _dictionaries() -> dict[int, tuple[str, zstandard.ZstdCompressionDict]]:
    """By the number that frames have of them; the kind is in the file's name: `logs-1`."""
    found = sorted(FOLDER.glob("*.zdict"), key=lambda path: int(path.stem.rpartition("-")[2]))
    read = [(path.stem.rpartition("-")[0], zstandard.ZstdCompressionDict(path.read_bytes())) for path in found]
    return {dictionary.dict_id(): (kind, dictionary) for kind, dictionary in read}


def _newest(kind: str) -> zstandard.ZstdCompressionDict | None:
    of_kind = [dictionary for name, dictionary in _dictionaries().values() if name == kind]
    return of_kind[-1] if of_kind else None


def _compressor(kind: str) -> zstandard.ZstdCompressor:
    compressors: dict[str, zstandard.ZstdCompressor] = _codecs.__dict__.setdefault("compressors", {})
    if kind not in compressors:
        parameters = _PARAMETERS.get(kind, _PLAIN)
        compressors[kind] = zstandard.ZstdCompressor(compression_params=parameters, dict_data=_newest(kind))
    return compressors[kind]


def _decompress(body: bytes) -> bytes:
    decompressors = _codecs.__dict__.setdefault("decompressors", {})
    frame = bytes(body)
    number = zstandard.get_frame_parameters(frame).dict_id
    if number not in decompressors:
        _, dictionary = _dictionaries().get(number, ("", None))
        decompressors[number] = zstandard.ZstdDecompressor(dict_data=dictionary)
    raw: bytes = decompressors[number].decompress(frame, max_output_size=_MAX_BYTES)
    return raw
