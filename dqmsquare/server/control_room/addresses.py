"""The address that a request comes from, past as many proxies as are trusted."""

import ipaddress
from collections.abc import Mapping
from typing import Any


def client_address(environ: Mapping[str, Any], trusted_hops: int) -> str:
    """The client's address; that of the nearest proxy where the header says less than the trusted ones would.

    Each proxy appends the address that it was asked from, so that the last entries are theirs and all others may be
    anybody's invention.
    """
    nearest = str(environ.get("REMOTE_ADDR", ""))
    if trusted_hops:
        entries = [entry.strip() for entry in str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")]
        if len(entries) >= trusted_hops and (found := _address(entries[-trusted_hops])):
            return found
    return _address(nearest) or "unknown"


def _address(text: str) -> str:
    """Without the port, which CMSWEB's front-end adds.

    >>> _address("137.138.1.2:4711"), _address("[2001:1458::1]:80"), _address("2001:1458::1"), _address("x")
    ('137.138.1.2', '2001:1458::1', '2001:1458::1', '')
    """
    bare = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
    for candidate in (bare, bare.rpartition(":")[0]):
        try:
            return str(ipaddress.ip_address(candidate))
        except ValueError:
            continue
    return ""
