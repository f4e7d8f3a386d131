"""How a single setting is read: from its variable or its file, by one parser per kind of value.

Which settings there are, and what they must be together, is config.py's.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

HOST_NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"  # a label of RFC 1123


class Refused(ValueError):
    """A value that may not stand there; each argument is a sentence that says what may."""


def setting(name: str, parse: Callable[[str], Any], default: str, meaning: str, *, secret: bool = False) -> Any:
    """A dataclass's field that is a setting; `default` is written as in `.env`, "" for a path means: worked out."""
    return dataclasses.field(
        metadata={"name": name, "parse": parse, "default": default, "meaning": meaning, "secret": secret}
    )


def read(field: dataclasses.Field[Any], environ: Mapping[str, str], default: str) -> Any:
    """The value of a field made by `setting`; a secret may also come from the file that NAME_FILE names.

    Raises Refused with a sentence for each problem, in which no secret stands.
    """
    name, secret = field.metadata["name"], field.metadata["secret"]
    raw = _raw_value(environ, name, may_be_file=secret)
    # An empty line in .env means the default, as it does for everybody's template of settings.
    text = raw if raw.strip() else default
    try:
        return field.metadata["parse"](text)
    except Refused as refused:
        shown = "its value" if secret else repr(text)
        raise Refused(f"{name}: {shown} may not stand there; it takes {refused}") from None


def _raw_value(environ: Mapping[str, str], name: str, *, may_be_file: bool) -> str:
    file_name = environ.get(f"{name}_FILE", "") if may_be_file else ""
    if not file_name:
        return environ.get(name, "")
    if environ.get(name):
        raise Refused(f"{name} and {name}_FILE are both set: keep one of them")
    try:
        return Path(file_name).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError, RuntimeError) as error:
        kind = type(error).__name__
        raise Refused(f"{name}_FILE cannot be read ({kind}): name a file with the secret in it") from None


def plain(raw: str) -> str:
    """Any text, without the space around it."""
    return raw.strip()


def password(raw: str) -> str:
    """A secret that people chose: spaces belong to it, an editor's newline at the end does not."""
    return raw.strip("\r\n")


def token(raw: str) -> str:
    """A secret that a machine made: no white space belongs to it, also where a file breaks it into lines."""
    return "".join(raw.split())


def integer(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(raw: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", raw.strip()) or not low <= int(raw) <= high:
            raise Refused(f"a whole number from {low} to {high}")
        return int(raw)

    return parse


def seconds(low: float, high: float) -> Callable[[str], float]:
    """A parser of durations from `low` to `high`."""

    def parse(raw: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", raw.strip()) or not low <= float(raw) <= high:
            raise Refused(f"a number of seconds from {low:g} to {high:g}")
        return float(raw)

    return parse


def switch(raw: str) -> bool:
    """Whether something is on."""
    word = raw.strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise Refused("1, true, yes, on or 0, false, no, off")


def one_of(*words: str) -> Callable[[str], str]:
    """A parser that takes these words alone."""

    def parse(raw: str) -> str:
        if raw.strip() not in words:
            raise Refused("one of " + ", ".join(words))
        return raw.strip()

    return parse


def host(raw: str) -> str:
    """A host's name, short or with its domain, in lower case."""
    name = raw.strip().lower()
    if len(name) > 253 or not re.fullmatch(rf"{HOST_NAME}(\.{HOST_NAME})*", name):
        raise Refused("a host's name (letters, digits, hyphens, dots)")
    return name


def hosts(raw: str) -> tuple[str, ...]:
    """Short host names in lower case, each once."""
    names = [name.strip().lower() for name in raw.split(";") if name.strip()]
    if any(not re.fullmatch(HOST_NAME, name) for name in names):
        raise Refused("short host names (letters, digits, hyphens) with semicolons between")
    return tuple(dict.fromkeys(names))


def words(raw: str) -> tuple[str, ...]:
    """Words with semicolons between, each once."""
    found = tuple(dict.fromkeys(word.strip() for word in raw.split(";") if word.strip()))
    if any(not re.fullmatch(r"[A-Za-z0-9_]{1,40}", word) for word in found):
        raise Refused("words of letters, digits and _ with semicolons between")
    return found


def http_url(raw: str) -> str:
    """An address without a slash at its end."""
    expected = "an address that starts with https:// (or http://), without user, query or fragment"
    parts = _address(raw, expected)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise Refused(expected)
    return raw.strip().rstrip("/")


def optional_http_url(raw: str) -> str:
    """The same, or nothing."""
    return http_url(raw) if raw.strip() else ""


def webhook_url(raw: str) -> str:
    """An address that may hold a key, or nothing."""
    if raw.strip():
        _address(raw, "an address that starts with https:// (or http://), or nothing")
    return raw.strip()


def _address(raw: str, expected: str) -> SplitResult:
    try:
        parts = urlsplit(raw.strip())
        port = parts.port
    except ValueError as error:  # brackets that do not match, a port that is none
        raise Refused(expected) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or re.search(r"\s", raw.strip()):
        raise Refused(expected)
    return parts


def prefix(raw: str) -> str:
    """A URL's path with a slash in front and none at its end, or nothing."""
    path = raw.strip().strip("/")
    if path and not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", path):
        raise Refused("a path such as dqm/dqm-square, or nothing")
    return f"/{path}" if path else ""


def path(raw: str) -> Path:
    """A path; `~` is the home directory."""
    if not raw.strip() or "\0" in raw:
        raise Refused("a path")
    try:
        return Path(raw.strip()).expanduser()
    except RuntimeError as error:  # a container's arbitrary user has no home
        raise Refused("a path without ~, since this user has no home directory") from error


def optional_path(raw: str) -> Path | None:
    """A path, or None."""
    return path(raw) if raw.strip() else None


def paths(raw: str) -> tuple[Path, ...]:
    """Paths with semicolons between, or nothing."""
    return tuple(path(part) for part in raw.split(";") if part.strip())


def database_name(raw: str) -> str:
    """The name of a PostgreSQL database."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}", raw.strip()):
        raise Refused("a database's name: letters, digits, _ and -")
    return raw.strip()


def role(raw: str) -> str:
    """The name of a PostgreSQL role."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", raw.strip()):
        raise Refused("a role's name: letters, digits and _")
    return raw.strip()


def is_file(path: Path) -> bool:
    """Whether there is a file that this user can see."""
    try:
        return path.is_file()
    except OSError:  # a folder that this user may not look into
        return False
