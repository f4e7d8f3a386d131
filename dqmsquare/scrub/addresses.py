"""Addresses of machines and of people. What only looks like one (versions, times, C++ scopes, labels) stays."""

from dqmsquare.scrub.pattern import Match
from dqmsquare.scrub.rule import ADDRESS, EMAIL, Rule

IPV4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_PORT = r"(?::[0-9]{1,5})?"
_IPV6 = r"(?i)(?:fe[89ab][0-9a-f]|f[cdf][0-9a-f]{2}|[23][0-9a-f]{3})(?::[0-9a-f]{0,4}){2,7}(?:%[a-z0-9]+)?"
_MAC = r"(?i)[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5,}|(?:-[0-9a-f]{2}){5,})"
_COUNTRIES = (
    "am|at|au|be|bg|br|by|ca|ch|cn|cy|cz|de|dk|ee|es|eu|fi|fr|ge|gr|hr|hu|ie|il|in|ir|it|jp|kr|lt|lv|mx|my|nl|no|nz|"
    "pk|pl|pt|ro|rs|ru|se|si|sk|th|tr|tw|ua|uk|us"
)
# siPixelDigis@cpu and x@beginRun have no domain: a module's label is no hit
_EMAIL = rf"(?i)([a-z0-9][a-z0-9._%+-]*)@(?:[a-z0-9-]+\.)+(?:com|edu|gov|info|int|io|net|org|{_COUNTRIES})\b"


def _neighbours(match: Match) -> tuple[bytes, bytes]:
    """The two bytes before a match, and the two after it."""
    text = match.string
    return text[max(0, match.start - 2) : match.start], text[match.end : match.end + 2]


def _ipv4(match: Match) -> bytes | None:
    octets = match[0].partition(b":")[0].split(b".")
    is_address = all(int(octet) <= 255 for octet in octets) and not _is_version(*_neighbours(match))
    return ADDRESS if is_address else None


def _is_version(before: bytes, after: bytes) -> bool:
    """v12.4.8.1, 12.4.8.1_x, and any dotted number of more than four parts."""
    last, following = before[-1:], after[:1]
    return (
        last.isdigit()
        or last in {b"_", b"v", b"V"}
        or (last == b"." and before[:1].isdigit())
        or following.isdigit()
        or following == b"_"
        or (following == b"." and after[1:].isdigit())
    )


def _ipv6(match: Match) -> bytes | None:
    before, after = _neighbours(match)
    address = match[0].partition(b"%")[0]
    is_whole = b"::" in address or (address.count(b":") == 7 and not address.endswith(b":"))
    return ADDRESS if is_whole and not _is_word(before[-1:]) and not _is_word(after[:1]) else None


def _is_word(byte: bytes) -> bool:
    return byte.isalnum() or byte == b"_"


def _mac(match: Match) -> bytes | None:
    before, after = _neighbours(match)
    if before[-1:].isalnum() or after[:1].isalnum():
        return None
    is_dashed_date = b"-" in match[0] and match[0].replace(b"-", b"").isdigit()
    return None if is_dashed_date else ADDRESS


def _email(match: Match) -> bytes | None:
    is_service = match[1].isupper() and b"_" in match[1]  # DIM_DNS@cmsdimns1.cern.ch is for the hosts' rule
    return None if is_service else EMAIL


EMAILS = Rule(_EMAIL, _email)
ADDRESSES = (
    Rule(IPV4 + _PORT, _ipv4),
    Rule(_IPV6, _ipv6),
    Rule(_MAC, _mac),
)
