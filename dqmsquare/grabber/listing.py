"""Headers in memory, compactly: a host's whole listing may hold 200,000 of them."""

import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from dqmsquare.documents import KEPT_KINDS, Header

_NO_STAMP = float("nan")
_BLOCK_IDS = 1024
_SEPARATOR = "\0"  # no id has it: such a header is refused


@dataclass(frozen=True, slots=True)
class ListedHeader:
    """What replication needs of a header. `stamp`: its timestamp, s since 1970."""

    document_id: str
    rev: int
    stamp: float | None
    is_kept: bool  # of a kind whose documents are stored


class Listing:
    """Headers in revision order, about 25 bytes each: ids in packed blocks, since they are much alike; arrays."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._last_ids: list[str] = []  # of a block that is not full yet
        self._unpacked: tuple[int, list[str]] = (-1, [])  # the block that was looked at last
        self._revs = array("q")
        self._stamps = array("d")
        self._kept = bytearray()
        self._order: array[int] | None = None
        self._in_order = True

    def __len__(self) -> int:
        return len(self._revs)

    def add(self, header: Header) -> None:
        """Adds a header; they may come in any order."""
        if self._revs and header.rev < self._revs[-1]:
            self._in_order = False
        self._order = None
        self._last_ids.append(header.document_id)
        if len(self._last_ids) == _BLOCK_IDS:
            self._blocks.append(zlib.compress(_SEPARATOR.join(self._last_ids).encode(), 1))
            self._last_ids = []
        self._revs.append(header.rev)
        self._stamps.append(_NO_STAMP if header.timestamp is None else header.timestamp)
        self._kept.append(header.kind in KEPT_KINDS)

    def __getitem__(self, position: int) -> ListedHeader:
        """The header at a position, 0 being the lowest revision."""
        index = self._index(position)
        stamp = self._stamps[index]
        return ListedHeader(
            document_id=self._id_at(index),
            rev=self._revs[index],
            stamp=None if stamp != stamp else stamp,  # noqa: PLR0124  (NaN is the one value that differs from itself)
            is_kept=bool(self._kept[index]),
        )

    def is_kept(self, position: int) -> bool:
        """Whether the header at a position is of a kind whose documents are stored."""
        return bool(self._kept[self._index(position)])

    def __iter__(self) -> Iterator[ListedHeader]:
        return (self[position] for position in range(len(self)))

    def position_of(self, rev: int) -> int:
        """How many headers have a revision below `rev`."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._rev_at(middle) < rev:
                low = middle + 1
            else:
                high = middle
        return low

    def _id_at(self, index: int) -> str:
        block, place = divmod(index, _BLOCK_IDS)
        if block == len(self._blocks):
            return self._last_ids[place]
        if block != self._unpacked[0]:
            self._unpacked = block, zlib.decompress(self._blocks[block]).decode().split(_SEPARATOR)
        return self._unpacked[1][place]

    def _rev_at(self, position: int) -> int:
        return self._revs[self._index(position)]

    def _index(self, position: int) -> int:
        if self._in_order:
            return position
        if self._order is None:
            self._order = array("Q", sorted(range(len(self._revs)), key=self._revs.__getitem__))
        return self._order[position]
