"""One tree of errors. Each carries the subject it is about, so that a log line can name it."""

from collections.abc import Sequence


class MirrorError(Exception):
    """The root of everything that the mirror raises on purpose."""


class ConfigError(MirrorError):
    """Settings that are wrong or missing; holds every problem, not only the first."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class UpstreamError(MirrorError):
    """DQM² did not give what was asked for; `host` is the public id of the host in question."""

    def __init__(self, message: str, *, host: str = "") -> None:
        super().__init__(message)
        self.host = host


class UpstreamUnreachable(UpstreamError):
    """No connection to CMSWEB's front-end or to the proxy behind it: every host is affected.

    `may_have_arrived`: False where it is sure that nothing of the request was sent.
    """

    def __init__(self, message: str, *, host: str = "", may_have_arrived: bool = True) -> None:
        super().__init__(message, host=host)
        self.may_have_arrived = may_have_arrived


class UpstreamTimeout(UpstreamError):
    """The answer did not come, or did not end, before its deadline."""


class UpstreamRefused(UpstreamError):
    """Certificate or cookie were not accepted: a login page, a redirect, 401 or 403."""


class UpstreamUnavailable(UpstreamError):
    """A transient refusal (5xx, 429); `retry_after_seconds` is what the answer asked for, if it did."""

    def __init__(self, message: str, *, host: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(message, host=host)
        self.retry_after_seconds = retry_after_seconds


class UpstreamMalformed(UpstreamError):
    """An answer that is not of the protocol's shape; `kind` names what was wrong with it."""

    def __init__(self, message: str, *, host: str = "", kind: str = "shape") -> None:
        super().__init__(message, host=host)
        self.kind = kind


class DocumentRefused(MirrorError):
    """A document that cannot be stored; `reason` is the word for the quarantine."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class ScrubError(DocumentRefused):
    """The scrubber failed: nothing of the document may be stored."""

    def __init__(self, detail: str) -> None:
        super().__init__("scrub", detail)


class StoreUnavailable(MirrorError):
    """PostgreSQL cannot be used at the moment; trying again is right."""


class StoreRefused(MirrorError):
    """PostgreSQL refuses this very data; trying again is useless."""


class TooManyRuns(MirrorError):
    """More runs were asked for than are counted at once; the message says how many may be."""


class LeaseLost(MirrorError):
    """Another grabber writes this host now."""


class ImportRefused(MirrorError):
    """The first mirror's tables cannot be imported or dropped as asked; the message says why."""


class SchemaMismatch(MirrorError):
    """The database's tables are of another version than the program."""


class KeyMismatch(MirrorError):
    """PUBLIC_ID_KEY is not the key that the database's ids were made with."""


class WebhookFailed(MirrorError):
    """A message did not get through; `retry_after_seconds` is what the other side asked for, if it did."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class MirrorRefused(MirrorError):
    """The client's question was not answered, and asking again is useless; the message says what to change."""


class MirrorUnreachable(MirrorError):
    """No answer from the mirror at the moment."""


class CommandRefused(MirrorError):
    """Something that the Control Room does not do; the message is for whoever asked, `status` is HTTP's."""

    def __init__(self, message: str, *, status: int = 400, retry_after_seconds: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds
