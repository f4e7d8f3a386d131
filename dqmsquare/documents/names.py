"""Names within documents: clients, releases, run keys, streams; and how they lose the hosts that ride in them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dqmsquare.identity import host_label, short_host_name
from dqmsquare.scrub import Scrubber

TAG = re.compile(r"[A-Za-z0-9_.-]{1,120}", re.ASCII)
RUN_KEY = re.compile(r"[A-Za-z0-9_]{1,40}", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9_.-]{1,120}", re.ASCII)
HOST_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}(?:\.[A-Za-z0-9-]{1,63}){0,5}", re.ASCII)

_CLIENT = re.compile(r"(.+)_dqm_sourceclient-live")
_RELEASE_PATH = re.compile(
    r"CMSSW_([0-9]{1,2}_[0-9]{1,2}_[0-9]{1,3}(?:_(?:patch|pre)[0-9]{1,3})?(?:_[0-9]{4,6}(?![0-9A-Za-z]))*)", re.ASCII
)
_RELEASE = re.compile(r"([0-9]+_[0-9]+_[0-9]+(?:_(?:patch|pre)[0-9]+)?)((?:_[0-9]{4,6})*)", re.ASCII)
_CONFIG = re.compile(r"[A-Za-z0-9_-]{1,100}\.py", re.ASCII)
_STREAM = re.compile(r"[A-Za-z0-9]{1,60}", re.ASCII)
_HOST_IN_TAG = re.compile(r"(?:(?<=_)(?:dqm|d3v)?(?:rubu|bu|fu|ru|sm)_)?c[0-9][a-z][0-9]{2}(?:_[0-9]{2})+\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Release:
    """A CMSSW release and the pull requests that P5 added to it."""

    cmssw: str
    pull_requests: tuple[int, ...]


def client_name(tag: str) -> str:
    """The name people use.

    >>> client_name("beam_dqm_sourceclient-live"), client_name("visualization-live")
    ('beam', 'visualization-live')
    """
    match = _CLIENT.fullmatch(tag)
    return match[1] if match else tag


def split_release(release: str) -> Release:
    """A release as stored in its parts; pull requests have four to six digits.

    >>> split_release("12_4_8_patch1_39145_39162")
    Release(cmssw='12_4_8_patch1', pull_requests=(39145, 39162))
    """
    match = _RELEASE.match(release)
    if match is None:
        return Release("", ())
    return Release(match[1], tuple(int(number) for number in match[2].split("_") if number))


def stream_label(key: str) -> str:
    """The short name of a stream.

    >>> stream_label("streamDQM")
    'DQM'
    """
    return key.removeprefix("stream") or key


def stream_key(raw: str) -> str | None:
    """A stream's key without the host that wrote it: None where it is no such key.

    >>> stream_key("streamDQM_sm-c2a11-43-01")
    'streamDQM'
    """
    key = raw.partition("_")[0]
    return key if _STREAM.fullmatch(key) else None


def release_in(path: str) -> str | None:
    """The release of a path's component; what else people wrote into the component is cut away.

    >>> release_in("/x/production_0909_CMSSW_12_4_8_39145_39162_bobs_test/src")
    '12_4_8_39145_39162'
    """
    match = _RELEASE_PATH.search(path[:2000])
    return match[1] if match else None


def release_of(cmdline: Iterable[str]) -> str | None:
    """The first release named in a command line."""
    return next(filter(None, map(release_in, cmdline)), None)


def argument_of(cmdline: Iterable[str], name: str) -> str | None:
    """The text after the first `=` of the argument `name=...`."""
    prefix = f"{name}="
    return next((item[len(prefix) :] for item in cmdline if item.startswith(prefix)), None)


def config_name_of(cmdline: Iterable[str]) -> str | None:
    """The file name of the configuration: that of a client if there is one, else the first of Python."""
    names = [name for item in cmdline if _CONFIG.fullmatch(name := item[-400:].rpartition("/")[2])]
    return next((name for name in names if name.endswith("_cfg.py")), names[0] if names else None)


def public_tag(tag: str, hostname: str, scrubber: Scrubber) -> str:
    """A tag in which a host's name became its label (lookarea's have one), scrubbed.

    >>> public_tag("analyze_files_lookarea_c2a06_05_01", "bu-c2a06-05-01", Scrubber(()))
    'analyze_files_lookarea_bu..01'
    """
    match = _HOST_IN_TAG.search(tag)
    if match is None:
        return scrubber.scrub(tag).text
    name = match[0].replace("_", "-")
    label = host_label(hostname if short_host_name(hostname).endswith(name) else name)
    return scrubber.scrub(tag[: match.start()]).text + label
