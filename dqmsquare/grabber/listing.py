"""Headers in memory, compactly: a host's whole listing may hold 200,000 of them."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from dqmsquare.documents import KEPT_KINDS, Header

_NO_STAMP = float("nan")


@dataclass(frozen=True, slots=True)
class ListedHeader:
    """What replication needs of a header. `stamp`: its timestamp, s since 1970."""

    document_id: str
    rev: int
    stamp: float | None
    is_kept: bool  # of a kind whose documents are stored


class Listing:
    """Headers in revision order, about 100 bytes each: ids in one buffer, numbers in arrays."""

    def __init__(self) -> None:
        self._ids = bytearray()
        self._ends = array("Q")
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
        self._ids += header.document_id.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._ids))
        self._revs.append(header.rev)
        self._stamps.append(_NO_STAMP if header.timestamp is None else header.timestamp)
        self._kept.append(header.kind in KEPT_KINDS)

    def __getitem__(self, position: int) -> ListedHeader:
        """The header at a position, 0 being the lowest revision."""
        index = self._index(position)
        start = self._ends[index - 1] if index else 0
        stamp = self._stamps[index]
        return ListedHeader(
            document_id=self._ids[start : self._ends[index]].decode("utf-8", "surrogatepass"),
            rev=self._revs[index],
            stamp=None if stamp != stamp else stamp,  # noqa: PLR0124  (NaN is the one value that differs from itself)
            is_kept=bool(self._kept[index]),
        )

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

    def _rev_at(self, position: int) -> int:
        return self._revs[self._index(position)]

    def _index(self, position: int) -> int:
        if self._in_order:
            return position
        if self._order is None:
            self._order = array("Q", sorted(range(len(self._revs)), key=self._revs.__getitem__))
        return self._order[position]
