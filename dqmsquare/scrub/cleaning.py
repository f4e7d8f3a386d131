"""What text must be before it is looked at or stored: UTF-8 without controls."""

from dqmsquare.scrub.pattern import Pattern

_REPLACEMENT = "\ufffd".encode()
_PLAIN = bytes([*b"\t\n", *range(0x20, 0x7F)])
_ESCAPES_AND_CONTROLS = Pattern(
    r"(?:\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -~])?"
    r"|[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}"
    r"\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2064}\x{2066}-\x{2069}\x{feff}])+"  # unseen, or turns text round
)


def clean_text(text: str) -> str:
    r"""Text that PostgreSQL and JSON take: no NUL or lone surrogate (U+FFFD each), no escapes, no controls but tab.

    >>> clean_text("10 %\r20 %\r\n\x1b[31mred\x1b[0m\x00")
    '10 %\n20 %\nred�'
    """
    return text if _plain_bytes(text) is not None else clean_bytes(text).decode("utf-8")


def clean_bytes(text: str) -> bytes:
    """The same as UTF-8."""
    if (plain := _plain_bytes(text)) is not None:
        return plain
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        data = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\0", _REPLACEMENT)  # \r: progress bars
    return _ESCAPES_AND_CONTROLS.replaced(data, lambda _: b"")[0]


def _plain_bytes(text: str) -> bytes | None:
    """The text if there is nothing to clean in it, as in nearly all."""
    if not text.isascii() or (data := text.encode("ascii")).translate(None, _PLAIN):
        return None
    return data
