"""Reads what the front-end or the proxy answers with instead of JSON: HTML pages, and when to come back."""

import email.utils
import re
from datetime import UTC, datetime

from bs4 import BeautifulSoup

from dqmsquare.errors import UpstreamError, UpstreamMalformed, UpstreamRefused, UpstreamUnavailable

PAGE_MAX_BYTES = 65_536  # as much of a page as is looked at
QUOTE_MAX = 200  # characters of foreign text in an error or a log line
RETRY_AFTER_MAX_SECONDS = 300.0

_PAGE = re.compile(rb"(<!doctype\s+html|<html|<head|<\?xml)", re.IGNORECASE)
_LOGIN = re.compile(r"\b(sign[ -]?in|log[ -]?in|single sign|sso\b|authentication)", re.IGNORECASE)
_AWAY = re.compile(
    r"\b5[0-9][0-9]\b|unavailable|bad gateway|time-?out|timed out|internal server error|maintenance|overload",
    re.IGNORECASE,
)


def is_page(start: bytes) -> bool:
    """Whether an answer that starts so is an HTML page. Its content type says nothing: DQM² calls everything HTML."""
    return _PAGE.match(start.lstrip(b"\xef\xbb\xbf \t\r\n")) is not None


def page_title(page: bytes) -> str:
    """The title or first heading in one printable line of at most 200 characters; "" if the page has neither."""
    soup = _soup(page)
    named = soup.title or soup.find(["h1", "h2"])
    return printable(named.get_text()) if named else ""


def page_error(page: bytes) -> UpstreamError:
    """What it means that a page came with status 200: a login, a failure behind the front-end, or neither."""
    title = page_title(page)
    message = f"answered with an HTML page: {title or 'without a title'}"
    if _LOGIN.search(title) or _soup(page).find("input", type="password"):
        return UpstreamRefused(message)
    if _AWAY.search(title):
        return UpstreamUnavailable(message)
    return UpstreamMalformed(message, kind="html")


def printable(text: str) -> str:
    r"""Foreign text for an error or a log line: one line, control characters escaped, at most 200 characters.

    >>> printable("502\n  Bad \x1b[31mGateway")
    '502 Bad \\x1b[31mGateway'
    """
    line = " ".join(text.split())[:QUOTE_MAX]
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    return escaped[:QUOTE_MAX]


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (seconds or a date), at most 300; None if it says nothing readable.

    >>> retry_after_seconds("86400", datetime.now(UTC))
    300.0
    """
    if value is None:
        return None
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", value):
        return min(float(value), RETRY_AFTER_MAX_SECONDS)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0.0), RETRY_AFTER_MAX_SECONDS)


def _soup(page: bytes) -> BeautifulSoup:
    # BeautifulSoup warns of an XML declaration, which old login pages have.
    text = page[:PAGE_MAX_BYTES].decode("utf-8", "replace")
    return BeautifulSoup(re.sub(r"<\?xml[^>]*>", "", text, count=1), "html.parser")
