"""What a request says, name by name, from its query and its form; nothing is mended and nothing chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from dqmsquare.errors import CommandRefused

_FIELDS_MAX = 12
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Fields:
    """Names with their values, each once; `problem` says what is wrong with them as a whole, if anything is."""

    values: Mapping[str, str]
    problem: str = ""

    def checked(self) -> Mapping[str, str]:
        """The values. Raises CommandRefused where a name was doubled or the text is no form's."""
        if self.problem:
            raise CommandRefused(self.problem)
        return self.values


def read_fields(*sources: bytes) -> Fields:
    """The fields of all sources together (a query, a form). Of a doubled name all values are kept, for the audit."""
    pairs: list[tuple[str, str]] = []
    problem = ""
    for source in sources:
        try:
            pairs += _pairs(source)
        except (UnicodeError, ValueError):
            problem = "the parameters are not written as name=value&name=value in ASCII"
            pairs.append(("", source[:1000].decode("utf-8", "replace")))
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            problem = problem or "a parameter is given twice"
        values[name] = f"{values[name]} & {value}" if name in values else value
    return Fields(values, problem)


def _pairs(source: bytes) -> list[tuple[str, str]]:
    if not source:
        return []
    text = source.decode("ascii")
    # An escape that is no UTF-8 becomes U+FFFD, which fits no grammar.
    return parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=_FIELDS_MAX, errors="replace")
