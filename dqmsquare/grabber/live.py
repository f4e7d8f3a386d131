"""One poll of a host: the headers from the head up, and what they say of the history behind it."""

from dataclasses import dataclass, field

from dqmsquare.documents import Header
from dqmsquare.errors import UpstreamError, UpstreamMalformed
from dqmsquare.grabber.listing import Listing
from dqmsquare.grabber.upstream import HostFeed
from dqmsquare.identity import PublicIds
from dqmsquare.storage.cursors import Cursor
from dqmsquare.storage.store import Refused

_HEADERS_MAX = 1_000_000  # a longer answer counts as cut there


@dataclass(slots=True)
class LiveAnswer:
    """What came. `cut` is why it is not whole; what came before that may be used."""

    headers: Listing = field(default_factory=Listing)
    refused: list[Refused] = field(default_factory=list)
    cut: UpstreamError | None = None
    has_head: bool = False  # the very revision that was passed is still there
    has_other_at_head: bool = False  # at its number stands something else
    has_head_document: bool = False  # its document is there, at that revision or a newer one

    @property
    def is_empty(self) -> bool:
        """Whether nothing came at all; with a head that is never normal, since the head itself should."""
        return not self.headers and not self.refused

    @property
    def rewritten(self) -> str | None:
        """Why this cannot be the history that the cursor belongs to; None if it can."""
        if self.has_other_at_head and not self.has_head:
            return "another document stands at the revision that was passed"
        if self.cut is None and not self.is_empty and not self.has_head_document:
            return "the document that was passed last is gone"
        return None


def poll(feed: HostFeed, ids: PublicIds, cursor: Cursor) -> LiveAnswer:
    """Asks for what is new since the cursor's head. Raises UpstreamError if nothing came before it failed."""
    answer = LiveAnswer()
    try:
        with feed.headers(cursor.head_rev) as messages:
            for message in messages:
                for header in message.headers:
                    answer.headers.add(header)
                    _look_for_head(answer, header, ids, cursor)
                answer.refused += (Refused(r.reason, rev=-1 if r.rev is None else r.rev) for r in message.refused)
                if len(answer.headers) > _HEADERS_MAX:
                    break
            if not messages.complete:
                answer.cut = UpstreamMalformed("an answer came incomplete", host=feed.host_id, kind="incomplete")
    except UpstreamError as error:
        if answer.is_empty:
            raise
        answer.cut = error
    return answer


def _look_for_head(answer: LiveAnswer, header: Header, ids: PublicIds, cursor: Cursor) -> None:
    if header.rev == cursor.head_rev:
        is_head = ids.revision(header.document_id, header.rev, header.timestamp) == cursor.head_id
        answer.has_head |= is_head
        answer.has_other_at_head |= not is_head
    if not answer.has_head_document:
        answer.has_head_document = ids.document(header.document_id) == cursor.head_document
