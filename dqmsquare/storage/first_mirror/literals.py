"""Texts of Python lists and dicts, as the first mirror stored them: made JSON and read as such, never evaluated."""

import re
from typing import Any

import orjson

MAX_CHARACTERS = 64_000_000

_STRING = r"""'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*\""""
_STRINGS = re.compile(rf"(?:\A\[|, )({_STRING})", re.DOTALL)
_SEAM = re.compile(r"""\\n(['"]), (['"])""")
_TOKENS = re.compile(rf"{_STRING}|[^'\"]+", re.DOTALL)
_WORDS = re.compile(r"\b(?:None|True|False|nan|inf)\b")
_JSON_WORDS = {"None": "null", "True": "true", "False": "false", "nan": "null", "inf": "null"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\\'\"abfnrtv])|(.?))", re.DOTALL)
_ESCAPED = dict(zip("\\'\"abfnrtv", "\\'\"\a\b\f\n\r\t\v", strict=True))


class NotLiteral(ValueError):
    """The text is no list, dict, text or number as Python or JSON writes it."""


def read_literal(text: str) -> Any:
    r"""What the text stands for; NaN and infinity, which Python writes but cannot read, are None. Raises NotLiteral.

    >>> read_literal("['it\\'s\\n', \"it's\"]"), read_literal("{'a': [1, -2.5, nan, None, True]}")
    (["it's\n", "it's"], {'a': [1, -2.5, None, None, True]})
    """
    if len(text) > MAX_CHARACTERS:
        raise NotLiteral("too long")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    tokens = _TOKENS.findall(text)
    if sum(map(len, tokens)) != len(text):
        raise NotLiteral("a text without end")
    try:
        return orjson.loads("".join(map(_as_json, tokens)))
    except (orjson.JSONDecodeError, TypeError, UnicodeEncodeError) as error:
        raise NotLiteral("no literal") from error


def read_lines(text: str) -> str:
    r"""A list of lines as one text; where none has an end, each gets one. Raises NotLiteral.

    >>> read_lines("['first\\n', \"it's the last\"]")
    "first\nit's the last"
    """
    stripped = text.strip()
    joined = _join_plain(stripped) if len(text) <= MAX_CHARACTERS else None
    if joined is not None:
        return joined
    try:
        lines = read_literal(stripped)
    except NotLiteral:  # half a surrogate, which JSON does not take
        lines = _unescape_all(stripped)
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise NotLiteral("no list of lines")
    return ("" if any("\n" in line for line in lines) else "\n").join(lines)


def _join_plain(text: str) -> str | None:
    """A list as nearly all are, in a tenth of the time: lines that have their ends, and nothing else that is escaped.

    None for any other: then a quote does not close what it should.
    """
    if not text.startswith(("['", '["')):
        return None
    closed, opened = text[-2:-1], text[1]
    pieces = _SEAM.split(text[2:-2])
    lines, closings, openings = pieces[::3], [*pieces[1::3], closed], [opened, *pieces[2::3]]
    if text[-1:] != "]" or closings != openings or any(map(str.__contains__, lines, openings)):
        return None
    joined = "\n".join(lines).replace("\\n", "\n")
    return None if "\\" in joined else joined  # of an escaped backslash before an n, one is left too


def _unescape_all(text: str) -> list[str] | None:
    """A list of nothing but texts, whatever is in them; None for anything else."""
    strings = _STRINGS.findall(text)
    # Each stands behind two characters, the first behind one, and the last before one: nothing was skipped.
    n_read = sum(map(len, strings)) + 2 * len(strings)
    return [_unquoted(string) for string in strings] if strings and n_read == len(text) and text[-1] == "]" else None


def _as_json(token: str) -> str:
    if token[0] in "'\"":
        return orjson.dumps(_unquoted(token)).decode()
    return _WORDS.sub(lambda match: _JSON_WORDS[match[0]], token)


def _unquoted(string: str) -> str:
    return _ESCAPE.sub(_unescaped, string[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits:
        number = int(digits, 16)
        if number > 0x10FFFF:
            raise NotLiteral("no character")
        return chr(number)
    if match[4]:
        return _ESCAPED[match[4]]
    raise NotLiteral("an escape that Python does not write")
