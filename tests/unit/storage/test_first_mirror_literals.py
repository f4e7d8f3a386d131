"""Texts that Python wrote are read back as they were, and nothing in them is ever run."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmsquare.storage.first_mirror.literals import NotLiteral, read_lines, read_literal

_LINES = st.lists(
    st.text(st.characters(), max_size=12).map(lambda text: text + "\n") | st.text("ab'\"\\\n\t, []", max_size=8)
)
_NUMBERS = (
    st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.none() | st.booleans()
)
_STREAMS = st.dictionaries(
    st.text("abc-_'\"\\{}:,", max_size=8), st.dictionaries(st.sampled_from(["lumis", "mtimes"]), st.lists(_NUMBERS))
)


@given(_LINES)
def test_lines_are_read_as_python_wrote_them(lines: list[str]):
    joined = ("" if any("\n" in line for line in lines) else "\n").join(lines)
    assert read_lines(str(lines)) == joined


@given(_STREAMS)
def test_dicts_are_read_as_python_wrote_them(streams: dict):
    assert read_literal(str(streams)) == ast.literal_eval(str(streams)) == streams


def test_what_python_writes_but_cannot_read_is_none():
    assert read_literal("{'mtimes': [nan, -1, inf, 2.5e-07]}") == {"mtimes": [None, -1, None, 2.5e-07]}


def test_lists_that_json_wrote_are_read_too():
    assert read_lines(r'["\/fff\/BU0\n", "\u00e9\n"]') == "/fff/BU0\né\n"


@pytest.mark.parametrize(
    "hostile",
    [
        "__import__('os').system('touch /tmp/evaluated')",
        "[__import__('os')]",
        "[open('x', 'w')]",
        "{'a': lambda: 1}",
        "['a' 'b']",
        "['a', f'{1}']",
        "['a'] * 1000000000",
        "['a\\n', 'b\\n'",
        "['a\\n', 'b]",
        "['\\q']",
        "['\\U00110000']",
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        "[" + "'a', " * 100_000,
        "",
    ],
    ids=lambda text: text[:20],
)
def test_anything_else_is_refused(hostile: str):
    with pytest.raises(NotLiteral):
        read_literal(hostile)
    with pytest.raises(NotLiteral):
        read_lines(hostile)
