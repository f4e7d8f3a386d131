from datetime import UTC, datetime, timedelta

import pytest

from dqmsquare.documents.fields import FieldReader, integer, number, size_bytes
from tests.unit.documents.raw import RECEIVED_AT

NOW_SECONDS = RECEIVED_AT.timestamp()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, 12),
        (-3, -3),
        (12.0, 12),
        ("12", 12),
        ("+12", 12),
        ("-12", -12),
        ("0012", 12),
        ("9" * 18, int("9" * 18)),
        ("9" * 19, None),
        ("", None),
        (" 12", None),
        ("12\n", None),
        ("1e3", None),
        ("0x10", None),
        ("\uff11\uff12", None),  # full-width digits
        (12.5, None),
        (float("nan"), None),
        (float("inf"), None),
        (2**63, None),
        (1e300, None),
        (True, None),
        (None, None),
        ([], None),
        ({}, None),
    ],
)
def test_integers(value, expected):
    assert integer(value) == expected
    assert type(integer(value)) in {int, type(None)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.51724136", 0.51724136),
        ("-1.0", -1.0),
        ("1e-3", 0.001),
        (".5", 0.5),
        (3, 3.0),
        (2.5, 2.5),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        (1e308 * 10, None),
        (10**400, None),
        ("1_000", None),
        ("", None),
        (False, None),
        (None, None),
        ("1" * 10_000, None),
    ],
)
def test_numbers(value, expected):
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("362744 kB", "B", 362744 * 1024),
        ("1 MB", "B", 2**20),
        ("5", "kB", 5120),
        (5, "kB", 5120),
        (5, "B", 5),
        ("5 apples", "B", None),
        (-5, "B", None),
        (2**62, "kB", None),
        ("", "B", None),
    ],
)
def test_sizes(value, unit, expected):
    assert size_bytes(value, unit) == expected


def test_f27_a_bad_field_is_none_and_counted_an_absent_one_is_only_none():
    fields = FieldReader(
        {"good": "5", "bad": [], "null": None, "low": -1, "inner": {"bad": "x"}, "list": 5}, RECEIVED_AT
    )
    assert [fields.integer(name) for name in ("good", "bad", "null", "absent", "low")] == [5, None, None, None, None]
    assert fields.tally.n_errors == 2
    assert fields.inner("inner").integer("bad") is None
    assert fields.tally.n_errors == 3
    assert (fields.inner("list").has("x"), fields.sequence("inner"), fields.sequence("absent")) == (False, [], [])
    assert fields.tally.n_errors == 5


@pytest.mark.parametrize(
    ("value", "is_kept", "flags"),
    [
        (NOW_SECONDS, True, set()),
        (str(NOW_SECONDS), True, set()),
        (NOW_SECONDS + 300, True, set()),
        (NOW_SECONDS + 301, True, {"clock"}),
        (NOW_SECONDS + 7200, True, {"clock"}),
        (NOW_SECONDS + 86_399, True, {"clock"}),
        (NOW_SECONDS + 86_400, False, {"clock"}),
        (1e18, False, {"clock"}),
        (-1, False, {"clock"}),
        (NOW_SECONDS - 10 * 365 * 86_400, True, set()),
        (datetime(2008, 1, 1, tzinfo=UTC).timestamp(), False, {"clock"}),
        (datetime(2008, 1, 1, tzinfo=UTC).timestamp() + 1, True, set()),
        (float("nan"), False, {"clock"}),
        (float("inf"), False, {"clock"}),
        ("yesterday", False, set()),
        (None, False, set()),
    ],
)
def test_f21_times_are_of_an_epoch_in_which_there_were_runs(value, is_kept, flags):
    fields = FieldReader({"at": value}, RECEIVED_AT)
    at = fields.instant("at")
    assert (at is not None, fields.tally.flags) == (is_kept, flags)
    assert fields.tally.n_errors == (value is not None and not is_kept)
    if at is not None:
        assert abs(at - datetime.fromtimestamp(float(value), UTC)) < timedelta(microseconds=1)
