"""Headers: the lines of DQM²'s listing, and what a header and a document have in common."""

from collections.abc import Mapping

from dqmsquare.documents.fields import MAX_BIGINT, MAX_RUN, integer, number
from dqmsquare.documents.model import Header
from dqmsquare.errors import DocumentRefused
from dqmsquare.scrub import clean_text

MAX_ID_CHARACTERS = 200
MAX_TAG_CHARACTERS = 120


def read_header(raw: object) -> Header:
    """A header as sent. Raises DocumentRefused where it has no shape, id, revision or type."""
    if not isinstance(raw, Mapping):
        raise DocumentRefused("shape")
    run = integer(raw.get("run"))
    return Header(
        document_id=read_id(raw),
        rev=read_rev(raw),
        timestamp=number(raw.get("timestamp")),
        hostname=_short_text(raw.get("hostname")),
        kind=read_kind(raw),
        tag=_short_text(raw.get("tag")),
        run=run if run is not None and 1 <= run <= MAX_RUN else None,
    )


def read_id(raw: Mapping[str, object]) -> str:
    """The raw `_id`: it is what upstream is asked by, so it is taken as it is or not at all."""
    value = raw.get("_id")
    if not isinstance(value, str) or not value or len(value) > MAX_ID_CHARACTERS or clean_text(value) != value:
        raise DocumentRefused("id")
    return value


def read_rev(raw: Mapping[str, object]) -> int:
    """The revision, a whole number of 63 bits; nothing that could be one but is written otherwise."""
    value = raw.get("_rev")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_BIGINT:
        raise DocumentRefused("rev")
    return value


def read_kind(raw: Mapping[str, object]) -> str:
    """The document's type, whichever it is."""
    value = raw.get("type")
    if not isinstance(value, str) or not value or len(value) > MAX_TAG_CHARACTERS:
        raise DocumentRefused("type")
    return clean_text(value)


def _short_text(value: object) -> str | None:
    return clean_text(value[:MAX_TAG_CHARACTERS]) if isinstance(value, str) else None
