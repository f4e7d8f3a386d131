"""Says in our own errors what requests, urllib3 and ssl raise; their texts name hosts and files: none is passed on."""

import errno
import http.client
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from functools import partial

import requests
import urllib3.exceptions

from dqmsquare.dqm2_http.watchdog import Deadline
from dqmsquare.errors import UpstreamError, UpstreamMalformed, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable

# What a server says in a TLS alert when it is our certificate that it does not take.
_CERTIFICATE_ALERT = re.compile(
    r"ALERT_(CERTIFICATE_\w+|BAD_CERTIFICATE|NO_CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)"
)
_NAME_MISMATCH = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL

# The first line that fits counts: http.client.RemoteDisconnected is a ConnectionError and an HTTPException.
_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], Callable[[], UpstreamError]], ...] = (
    (
        (socket.gaierror, urllib3.exceptions.NameResolutionError),
        partial(UpstreamUnreachable, "its name cannot be resolved", may_have_arrived=False),
    ),
    (
        (requests.ConnectTimeout,),
        partial(UpstreamUnreachable, "no connection came about in time", may_have_arrived=False),
    ),
    (
        (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError),
        partial(UpstreamTimeout, "nothing came for too long"),
    ),
    ((ConnectionRefusedError,), partial(UpstreamUnreachable, "the connection was refused", may_have_arrived=False)),
    ((ConnectionError,), partial(UpstreamUnreachable, "the connection was broken off")),
    ((http.client.IncompleteRead,), partial(UpstreamMalformed, "the answer ended early", kind="cut")),
    (
        (urllib3.exceptions.DecodeError,),
        partial(UpstreamMalformed, "the answer cannot be decompressed", kind="encoding"),
    ),
    (
        (http.client.HTTPException, urllib3.exceptions.InvalidHeader),
        partial(UpstreamMalformed, "the answer is not HTTP", kind="http"),
    ),
)


def translate(error: BaseException, deadline: Deadline) -> UpstreamError:
    """The error of ours that a failed request or read amounts to; raise it from `error`."""
    if deadline.has_passed:
        return overdue(deadline)
    for cause in _causes(error):
        meaning = _meaning(cause)
        if meaning is not None:
            return meaning
    return UpstreamUnreachable(f"the request failed ({type(error).__name__})")


def overdue(deadline: Deadline) -> UpstreamTimeout:
    """What a request gets whose deadline came, or that was cut short."""
    return UpstreamTimeout(f"the answer had not ended after {deadline.seconds:g} s")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """From the outermost inwards; the outer ones that are too general to mean anything are in no line of the table."""
    seen: set[int] = set()
    step: BaseException | None = error
    while step is not None and id(step) not in seen:
        seen.add(id(step))
        yield step
        # urllib3 makes some errors with their cause as an argument and never raises them.
        inner = next((argument for argument in step.args if isinstance(argument, BaseException)), None)
        step = step.__cause__ or inner or step.__context__


def _meaning(cause: BaseException) -> UpstreamError | None:
    if isinstance(cause, ssl.SSLError):
        return _tls_meaning(cause)
    for kinds, make in _MEANINGS:
        if isinstance(cause, kinds):
            return make()
    if isinstance(cause, OSError) and cause.errno is not None:
        return UpstreamUnreachable(f"the connection failed ({errno.errorcode.get(cause.errno, cause.errno)})")
    return None


def _tls_meaning(error: ssl.SSLError) -> UpstreamError:
    if isinstance(error, ssl.SSLCertVerificationError):
        # OpenSSL's text for a name that does not fit contains the name.
        words = "it names another host" if error.verify_code in _NAME_MISMATCH else error.verify_message
        return UpstreamUnreachable(f"the server's certificate cannot be verified: {words}", may_have_arrived=False)
    reason = getattr(error, "reason", None) or type(error).__name__  # unset where Python itself made the error
    if _CERTIFICATE_ALERT.search(reason):
        return UpstreamRefused(f"our certificate was refused ({reason})")
    return UpstreamUnreachable(f"TLS failed ({reason})")
