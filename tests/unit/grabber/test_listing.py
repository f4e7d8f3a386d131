"""Headers kept compactly."""

from dqmsquare.documents import Header
from dqmsquare.grabber.listing import ListedHeader, Listing


def _header(rev: int, kind: str = "dqm-stats", timestamp: float | None = 1.5) -> Header:
    return Header(f"id-{rev}-é", rev, timestamp, "fu-c2f11-11-01", kind, None, None)


def _listing(*revs: int) -> Listing:
    listing = Listing()
    for rev in revs:
        listing.add(_header(rev))
    return listing


def test_headers_come_back_as_they_were_added():
    listing = _listing(3, 5)
    listing.add(_header(8, kind="dqm-unheard-of", timestamp=None))
    assert list(listing) == [
        ListedHeader("id-3-é", 3, 1.5, is_kept=True),
        ListedHeader("id-5-é", 5, 1.5, is_kept=True),
        ListedHeader("id-8-é", 8, None, is_kept=False),
    ]


def test_f13_they_are_in_the_order_of_their_revisions_however_they_came():
    assert [header.rev for header in _listing(5, 3, 9, 1)] == [1, 3, 5, 9]


def test_a_position_is_the_number_of_lower_revisions():
    listing = _listing(10, 20, 30)
    assert [listing.position_of(rev) for rev in (0, 10, 11, 30, 31)] == [0, 0, 1, 2, 3]
    assert Listing().position_of(5) == 0


def test_many_headers_come_back_as_they_were_added():
    """Ids are packed in blocks."""
    listing = _listing(*range(1, 3000))
    assert [header.document_id for header in listing] == [f"id-{rev}-é" for rev in range(1, 3000)]
    assert (listing[2500].rev, listing[3].document_id, listing.is_kept(3)) == (2501, "id-4-é", True)
