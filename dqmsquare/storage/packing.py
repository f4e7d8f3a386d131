"""Logs, series and deliveries as PostgreSQL keeps them: zstd, with a dictionary where bodies are small and alike.

A frame names the dictionary it was made with, so that bodies of all times are read: a dictionary in the folder beside
is never changed or taken away; a better one gets the next number and is used from then on.
"""

import threading
from collections.abc import Sequence
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


def pack_text(text: str) -> bytes:
    """A log as UTF-8, compressed."""
    return _compress(text.encode("utf-8", "replace"), "logs")


def unpack_text(body: bytes) -> str:
    """What pack_text was given."""
    return _decompress(body).decode("utf-8")


def pack_json(value: object, kind: str = "") -> bytes:
    """JSON, compressed; tuples become lists. `kind` names the dictionary."""
    return _compress(orjson.dumps(value), kind)


def unpack_json(body: bytes) -> Any:
    """What pack_json was given."""
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


def _compress(raw: bytes, kind: str) -> bytes:
    compressors = _codecs.__dict__.setdefault("compressors", {})
    if kind not in compressors:
        parameters = _PARAMETERS.get(kind, _PLAIN)
        compressors[kind] = zstandard.ZstdCompressor(compression_params=parameters, dict_data=_newest(kind))
    packed: bytes = compressors[kind].compress(raw)
    return packed


def _decompress(body: bytes) -> bytes:
    decompressors = _codecs.__dict__.setdefault("decompressors", {})
    frame = bytes(body)
    number = zstandard.get_frame_parameters(frame).dict_id
    if number not in decompressors:
        _, dictionary = _dictionaries().get(number, ("", None))
        decompressors[number] = zstandard.ZstdDecompressor(dict_data=dictionary)
    raw: bytes = decompressors[number].decompress(frame, max_output_size=_MAX_BYTES)
    return raw
