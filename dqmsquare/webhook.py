"""Tells Mattermost: one incoming webhook, one message at a time. What is sent, and when, is the outbox's."""

import logging
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import certifi
import requests
import urllib3

from dqmsquare.alarm_names import TITLES, Rule
from dqmsquare.dqm2_http.connections import WatchedAdapter, current_deadline
from dqmsquare.dqm2_http.failures import translate
from dqmsquare.dqm2_http.pages import retry_after_seconds
from dqmsquare.dqm2_http.watchdog import Deadline, Watchdog
from dqmsquare.errors import WebhookFailed

USERNAME = "DQM² Mirror"
_CONNECT_SECONDS = 5.0
_WATCHDOG = Watchdog()
_MARKUP = re.compile(r"[\\`*_{}\[\]()#!|~>]")
_CALLS_PEOPLE = re.compile(r"[@<]")  # @all, and Slack's <!channel>, which Mattermost takes too
_NOTHING = "\u200b"  # a space without width


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One alarm to be told. `path` is where the mirror shows it, below the prefix."""

    key: str
    rule: str
    cluster: str
    words: str
    path: str


def escaped(text: str) -> str:
    r"""Text as it reads, in Mattermost's Markdown: on one line, without markup, calling nobody.

    >>> escaped("*fu* is _down_"), escaped("a\n# b")
    ('\\*fu\\* is \\_down\\_', 'a \\# b')
    """
    line = "".join(character if character.isprintable() else " " for character in text)
    return _CALLS_PEOPLE.sub(lambda found: found[0] + _NOTHING, _MARKUP.sub(r"\\\g<0>", line))


def message(notice: Notice, base_url: str) -> dict[str, str]:
    """What the webhook takes. `base_url` is the mirror's address with its prefix; "" makes no link."""
    title = TITLES[Rule(notice.rule)] if notice.rule in set(Rule) else notice.rule
    link = f" [Show]({base_url}{notice.path})" if base_url else ""
    text = f"**{escaped(title)}** ({notice.cluster}): {escaped(notice.words)}.{link}\n`{notice.key}`"
    return {"username": USERNAME, "text": text}


class Webhook:
    """Posts to one address, which is a secret: it stands in no error and no line of the log.

    `ca_bundle` names authorities beside the usual ones.
    """

    def __init__(self, url: str, *, deadline_seconds: float, ca_bundle: Path | None = None) -> None:
        self._url = url
        self._deadline_seconds = deadline_seconds
        self._ca_bundle = ca_bundle
        self._running: Deadline | None = None
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # its lines of lower levels hold the address

    def send(self, body: Mapping[str, str]) -> None:
        """Returns once the other side has taken it. Raises WebhookFailed, whose text may be logged."""
        deadline = self._running = Deadline(self._deadline_seconds)
        token = current_deadline.set(deadline)
        try:
            with _WATCHDOG.watching(deadline), self._session() as session:
                timeout = (min(_CONNECT_SECONDS, deadline.seconds), deadline.seconds)
                _accept(session.post(self._url, json=body, timeout=timeout, allow_redirects=False, stream=True))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # Not "from" it: the original's text has the address in it, and a traceback would show it.
            raise WebhookFailed(str(translate(error, deadline))) from None
        finally:
            current_deadline.reset(token)
            self._running = None

    def cut_short(self) -> None:
        """Ends the message that is under way, from another thread."""
        if self._running is not None:
            self._running.cut()

    def _session(self) -> requests.Session:
        session = _UnredirectedSession()
        session.trust_env = False  # no proxy, no .netrc
        for scheme in ("https://", "http://"):
            session.mount(scheme, WatchedAdapter(self._tls() if scheme == "https://" else None))
        return session

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.load_verify_locations(cafile=certifi.where())
        if self._ca_bundle is not None:
            path = str(self._ca_bundle)
            context.load_verify_locations(*((None, path) if self._ca_bundle.is_dir() else (path,)))
        return context


class _UnredirectedSession(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, always. Otherwise requests reads the whole body of a redirect, even of one it is not to follow."""


def _accept(response: requests.Response) -> None:
    with response:
        if 200 <= response.status_code < 300:
            return
        wait = retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
        raise WebhookFailed(f"answered {response.status_code}", retry_after_seconds=wait)
