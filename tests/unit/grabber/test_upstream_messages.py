import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmsquare.errors import UpstreamMalformed
from dqmsquare.grabber.messages import Utf8Repair, parse_json, split_messages

TEXTS = ['{"a": 1}', "", "é \ufffd 😀 \x00", json.dumps('\ud800 \\ "')]
WHOLE = json.dumps({"before": [{"messages": [1]}], "messages": TEXTS, "after": None}, ensure_ascii=False).encode()


def split(chunks, cap_bytes=10_000):
    return list(split_messages(chunks, cap_bytes=cap_bytes, repair=Utf8Repair()))


def cut_at(body, positions):
    edges = [0, *sorted(positions), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(edges)]


@given(st.lists(st.integers(0, len(WHOLE))))
def test_it_does_not_matter_where_an_answer_is_cut_into_chunks(positions):
    assert split(cut_at(WHOLE, positions)) == TEXTS


@given(st.binary(max_size=60), st.integers(0, 60))
def test_f26_repaired_bytes_are_what_python_makes_of_them_and_each_fault_counts(broken, position):
    whole = broken + b"."  # so that nothing is left waiting for its end
    repair = Utf8Repair()
    repaired = b"".join(repair.repaired(chunk) for chunk in cut_at(whole, [min(position, len(whole))]))
    sound = whole.count("\ufffd".encode())
    assert repaired.decode() == whole.decode("utf-8", "replace")
    assert repair.n_replaced == whole.decode("utf-8", "replace").count("\ufffd") - sound


def test_a_message_comes_out_before_the_next_chunk_is_asked_for():
    def chunks():
        yield b'{"messages": ["one", "tw'
        raise UpstreamMalformed("the answer ended early", kind="cut")

    texts = split_messages(chunks(), cap_bytes=100, repair=Utf8Repair())
    assert next(texts) == "one"
    with pytest.raises(UpstreamMalformed, match="early"):
        next(texts)


def test_the_cap_is_for_one_message_and_not_for_all():
    many = json.dumps({"messages": ["x" * 50] * 100}).encode()
    assert len(split([many[start : start + 20] for start in range(0, len(many), 20)], cap_bytes=100)) == 100


@pytest.mark.parametrize("value", ["[1, 1.5, true, null]", '{"a": "b"}', str(2**62), "36893488147419103232"])
def test_json_that_everybody_agrees_on_is_read_as_such(value):
    assert parse_json(value, kind="x") == json.loads(value)
