"""The session to a mirror's /api/v1: pages, events, errors in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from dqmsquare.errors import MirrorRefused, MirrorUnreachable

_TIMEOUT_SECONDS = (10.0, 60.0)  # to connect, and between two pieces of an answer
_EVENTS_TIMEOUT_SECONDS = (10.0, 20.0)  # a beat comes every 5 s
_SHOWN_MAX = 300
_RETRY = Retry(total=3, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), raise_on_status=False)


class MirrorApi:
    """One cluster of one mirror. Raises MirrorUnreachable and MirrorRefused, whose messages are for people."""

    def __init__(
        self, url: str, cluster: str, *, cert: tuple[Path, Path] | None = None, ca: Path | None = None
    ) -> None:
        self._base = url.rstrip("/")
        self.cluster = cluster
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "dqmsquare-client"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=_RETRY))
        if cert:
            self._session.cert = (str(cert[0]), str(cert[1]))
        if ca:
            self._session.verify = str(ca)

    def get(self, path: str = "", **query: object) -> Any:
        """What the address below the cluster's answers; parameters that are None are left out."""
        return self._json(
            self._address(path), {name: _word(value) for name, value in query.items() if value is not None}
        )

    def text(self, path: str) -> str:
        """The same for an address that answers with plain text."""
        return self._ask(self._address(path), {}).text

    def pages(self, path: str, key: str, **query: object) -> Iterator[list[Any]]:
        """A list page by page; `key` is the list's name in the answer."""
        answer = self.get(path, **query)
        yield answer[key]
        while answer["next"]:
            answer = self._json(urljoin(self._base, answer["next"]), {})
            yield answer[key]

    def events(self) -> Iterator[tuple[str, str]]:
        """Name and data of each event as it comes, until the stream ends."""
        with self._ask(self._address("/events"), {}, stream=True, timeout=_EVENTS_TIMEOUT_SECONDS) as answer:
            name = data = ""
            try:
                for raw in answer.iter_lines(chunk_size=1):
                    line = raw.decode("utf-8", "replace")
                    field, _, value = line.partition(":")
                    if field == "event":
                        name = value.strip()
                    elif field == "data":
                        data = value.strip()
                    elif not line and name:
                        yield name, data
                        name = data = ""
            except requests.RequestException as error:
                raise MirrorUnreachable(f"the stream of events broke off ({type(error).__name__})") from error

    def _address(self, path: str) -> str:
        return f"{self._base}/api/v1/clusters/{self.cluster}{path}"

    def _json(self, address: str, query: dict[str, str]) -> Any:
        answer = self._ask(address, query)
        try:
            return answer.json()
        except requests.JSONDecodeError as error:
            raise MirrorRefused(f"{address} did not answer with JSON: is --url the address of a mirror?") from error

    def _ask(self, address: str, query: dict[str, str], **how: Any) -> requests.Response:
        options: dict[str, Any] = {"timeout": _TIMEOUT_SECONDS, "allow_redirects": False, **how}
        try:
            answer = self._session.get(address, params=query, **options)
        except requests.exceptions.SSLError as error:
            raise MirrorUnreachable(f"{address}: TLS failed, see --cert, --key and --ca ({_cause(error)})") from error
        except (requests.RequestException, OSError) as error:  # OSError: a certificate's file that is not there
            raise MirrorUnreachable(f"{address} cannot be reached ({_cause(error)})") from error
        if answer.status_code != 200:
            raise _refusal(answer)
        return answer


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cause(error: BaseException) -> str:
    while error.__context__ is not None:
        error = error.__context__
    return printable(str(error))[:_SHOWN_MAX]


def _refusal(answer: requests.Response) -> MirrorRefused | MirrorUnreachable:
    """The error that an answer stands for: a problem document says what is wrong."""
    if answer.is_redirect or answer.status_code in {401, 403}:
        return MirrorRefused(f"{answer.url} wants to know who asks (status {answer.status_code}): see --cert and --key")
    try:
        detail = printable(str(answer.json()["detail"]))
    except (requests.JSONDecodeError, KeyError, TypeError):
        detail = f"{answer.url} answers with status {answer.status_code}"
    kind = MirrorUnreachable if answer.status_code in {429, *range(500, 600)} else MirrorRefused
    return kind(detail[:_SHOWN_MAX])


def printable(text: str) -> str:
    r"""Text without what could steer a terminal; tabs and line ends stay.

    >>> printable("a\x1b[2Jb\tc\n")
    'a[2Jb\tc\n'
    """
    return "".join(character for character in text if character.isprintable() or character in "\n\t")
