"""Looks for what must not leave Point 5, by other rules than those that take it out.

The scrubber goes over lines with patterns. This cuts a text into words and judges each by itself, and looks for every
value that documents and settings are known to have. It shares nothing with the scrubber, and cries wolf rather than not.
"""

import html
import ipaddress
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import re2

from dqmsquare.config import setting_fields

_WORDS = re.compile(r"[^\s\"'`<>()\[\]{},;|\\&?#*]+")
_ESCAPED_BREAK = re.compile(r"\\+[nrt]")
_PARTS = re.compile(r"[./:@=+~%]+")
_FOLDERS = frozenset(
    [
        "fff",
        "home",
        "nfshome0",
        "afs",
        "eos",
        "dqmdata",
        "tmp",
        "var",
        "opt",
        "etc",
        "data",
        "root",
        "globalscratch",
        "srv",
        "mnt",
    ]
)
_PUBLIC = frozenset(
    f"{name}.cern.ch" for name in ("cms", "cmsweb", "cmsweb-testbed", "twiki", "gitlab", "cmsoms", "cmsrunregistry.web")
)
_TOP_LEVELS = frozenset(["ch", "com", "org", "net", "edu", "gov", "de", "fr", "it", "uk", "us", "eu", "info"])
# Of two words, or of a word and what stands beside it.
_BESIDE = (
    re.compile(
        r"""(?i)(?:password|passwd|secret|(?<!by)token|cookie|uniquekey|proxy(?:url)?)["']?+\s?+[:=]\s?+"""
        r"""(?!\S*\[)["']?+[^\s"'<]{3,}"""
    ),
    re.compile(r"""(?i)authorization["']?+\s?+[:=]\s?+["']?+(?!\[)\S+"""),
    re.compile(r"(?:DQMNet\[|LWP |(?i:\bpid)\W{0,3})[0-9]{3,}"),
    re.compile(r"-----(?:BEGIN|END) [A-Z ]+"),
    re.compile(r"\b(?:USER|LOGNAME)=(?!\[)\S+|(?:^|\s)~[a-z]\w+/"),
    re.compile(r"canary[-_][\w-]+"),
)


class LeakDetector:
    """`known`: values that may be nowhere. `machines`: names that may be there, for the Control Room's pages."""

    def __init__(self, known: Iterable[str] = (), *, machines: Iterable[str] = ()) -> None:
        self._machines = frozenset(machines)
        wanted = sorted(value for value in known if not any(name in value for name in self._machines))
        options = re2.Options()
        options.max_mem = 2**28
        self._known = re2.compile("|".join(map(re2.escape, wanted)), options) if wanted else None

    def found(self, text: str) -> list[str]:
        """What of it is in `text`, each once; empty where all is well."""
        plain = _ESCAPED_BREAK.sub(" ", html.unescape(text))
        for name in self._machines:
            plain = plain.replace(name, "machine")
        found = {match.group() for pattern in _BESIDE for match in pattern.finditer(plain)}
        found |= {word for word in set(_WORDS.findall(plain)) if _is_leak(word)}
        if self._known is not None:
            found |= {match.group() for match in self._known.finditer(plain)}
        return sorted(found)


@cache
def _is_leak(word: str) -> bool:
    """Pages have mostly the same words."""
    return any(judge(word) for judge in _JUDGES)


def _names_a_machine(word: str) -> bool:
    """A rack (c2f11) with two digits after it: whole names have that, labels do not."""
    for part in _PARTS.split(word.lower()):
        pieces = part.replace("_", "-").split("-")
        if any(_is_rack(rack) and place[:2].isdigit() for rack, place in pairwise(pieces)):
            return True
    return False


def _is_rack(piece: str) -> bool:
    rack = piece[-5:]
    return len(rack) == 5 and rack[0] == "c" and rack[1].isdigit() and rack[2].isalpha() and rack[3:].isdigit()


def _is_of_a_domain(word: str) -> bool:
    names = (name.strip("._-") for name in re.split(r"[/:@=]", word.lower()))
    return any(name.endswith((".cms", ".cern.ch")) and name not in _PUBLIC for name in names)


def _is_a_path(word: str) -> bool:
    before = ""
    for at, letter in enumerate(word):
        if letter == "/" and not (before.isalnum() or before in {"_", ".", "-", "/"}):
            folder = word[at + 1 :].partition("/")[0].partition(":")[0]
            if folder in _FOLDERS or folder.startswith("cmsnfs"):
                return True
        before = letter
    return word.startswith("-") and "/tmp/" in word


def _is_an_address(word: str) -> bool:
    if word.count(".") < 3 and word.count(":") + word.count("-") < 2:
        return False
    for candidate in (word, word.rpartition(":")[0], word.partition("%")[0], *re.split("[@=/]", word)):
        try:
            address = ipaddress.ip_address(candidate.strip(".:"))
        except ValueError:
            continue
        # fed::add is C++, and 1:2:3:4:5:6:7:8 a list.
        is_meant = address.version == 4 or any(re.search("[0-9]", part) and len(part) > 2 for part in word.split(":"))
        return is_meant and not (address.is_loopback or address.is_unspecified)
    groups = word.replace("-", ":").split(":")
    is_hexadecimal = all(re.fullmatch("[0-9a-fA-F]{2}", group) for group in groups)
    return len(groups) == 6 and is_hexadecimal and bool(re.search("[a-fA-F]", word))


def _is_a_persons(word: str) -> bool:
    name, _, domain = word.partition("@")
    return bool(name) and domain.rstrip(".").rpartition(".")[2] in _TOP_LEVELS and "." in domain


def _is_a_token(word: str) -> bool:
    last = word.rpartition("=")[2]
    if last.count("-") == 4 and len(last) == 36:
        try:
            uuid.UUID(last)
        except ValueError:
            return False
        return True
    return word.startswith(("eyJ", "ghp_")) and len(word) > 20


def _is_of_a_process(word: str) -> bool:
    digits = word.lower().rpartition("pid")[2] if "pid" in word.lower() else ""
    return digits[:3].isdigit() and len(digits[:3]) == 3


_JUDGES: tuple[Callable[[str], bool], ...] = (
    _names_a_machine,
    _is_of_a_domain,
    _is_a_path,
    _is_an_address,
    _is_a_persons,
    _is_a_token,
    _is_of_a_process,
)
# Fields of documents whose texts may be nowhere, at whatever depth.
_SECRET_FIELDS = frozenset(
    [
        "_id",
        "hostname",
        "environ",
        "stdlog_gzip",
        "stdout_fn",
        "stderr_fn",
        "monitoring_socket",
        "socket_name",
        "path",
        "source",
        "ramdisk",
        "run_unique_key",
        "run_write_file",
        "loggers",
        "log",
        "ls_map",
    ]
)
_SHORTEST = 6  # what is shorter is in other words too


def known_values(documents: Iterable[Mapping[str, Any]], environ: Mapping[str, str]) -> set[str]:
    """What the documents say in fields that nobody outside reads, and the secrets among a program's settings."""
    secret_names = {field.metadata["name"] for field in setting_fields() if field.metadata["secret"]}
    known = {value for name, value in environ.items() if name in secret_names}
    for document in documents:
        known.update(f"pid{document[name]}" for name in ("pid", "monitoring_pid") if document.get(name))
        known.update(str(item).partition("=")[2] for item in document.get("cmdline") or () if "UniqueKey=" in str(item))
        known.update(_secret_texts(document))
    return {value for value in known if len(value) >= _SHORTEST}


def _secret_texts(value: Any, *, is_secret: bool = False) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secret_texts(inner, is_secret=is_secret or key in _SECRET_FIELDS)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _secret_texts(inner, is_secret=is_secret)
    elif is_secret and isinstance(value, str):
        yield value
