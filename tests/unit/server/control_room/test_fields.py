import pytest

from dqmsquare.errors import CommandRefused
from dqmsquare.server.control_room.fields import Fields, read_fields


def test_a_query_and_a_form_are_one():
    assert read_fields(b"what=restart_hltd", b"host=a&empty=") == Fields(
        {"what": "restart_hltd", "host": "a", "empty": ""}
    )


@pytest.mark.parametrize(
    ("sources", "values"),
    [
        ((b"host=a&host=b",), {"host": "a & b"}),
        ((b"host=a", b"host=a"), {"host": "a & a"}),
        ((b"what=get_dqm_machines&what=restart_hltd",), {"what": "get_dqm_machines & restart_hltd"}),
        ((b"h%6fst=a&host=b",), {"host": "a & b"}),
    ],
)
def test_what_is_said_twice_is_not_chosen_from_but_kept_for_the_audit(sources, values):
    fields = read_fields(*sources)
    assert fields.values == values
    with pytest.raises(CommandRefused, match="given twice"):
        fields.checked()


@pytest.mark.parametrize("source", [b"host", b"a=1&&b=2", b"host=\xff", "host=é".encode(), b"&" * 20, b"x&a=1"])
def test_what_is_no_form_is_refused(source):
    with pytest.raises(CommandRefused, match="not written as"):
        read_fields(source).checked()


def test_more_fields_than_any_command_takes_are_refused():
    with pytest.raises(CommandRefused):
        read_fields("&".join(f"a{i}=1" for i in range(50)).encode()).checked()


def test_an_escape_that_is_no_text_becomes_a_mark_that_fits_nothing():
    assert read_fields(b"host=%ff%00").values == {"host": "\ufffd\0"}
