import threading

import pytest

from dqmsquare.errors import (
    CommandRefused,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreachable,
)
from dqmsquare.server.control_room.relay import CAP_BYTES, Ended, Relay, Result

PAIRS = {"what": "restart_hltd", "host": "dqmfu-c2b01-45-01"}


class FakeSession:
    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.asked: list = []

    def close(self):
        self.asked.append("closed")

    def fetch(self, method, path, **more):
        self.asked.append((method, path, more))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def change(answer: bytes | Exception) -> Ended:
    return Relay(lambda: FakeSession(answer), 75, lambda text: text.replace("secret", "[removed]")).change(PAIRS, "Ok")


def test_a_change_is_asked_for_once_on_a_connection_of_its_own_and_never_repeated():
    sessions = [FakeSession(b"[]"), FakeSession(b"Ok\n")]
    relay = Relay(iter(sessions).__next__, 75, str)
    relay.ask(PAIRS)
    assert relay.change(PAIRS, "Ok") == Ended(Result.DONE, "Ok")
    terms = {"deadline_seconds": 75, "cap_bytes": CAP_BYTES, "repeatable": False}
    assert sessions[1].asked == [("GET", "/cr/exe?what=restart_hltd&host=dqmfu-c2b01-45-01", terms), "closed"]


def test_reading_may_be_asked_again_on_a_dead_connection():
    session = FakeSession(b"[]")
    assert Relay(lambda: session, 75, str).ask(PAIRS) == b"[]"
    assert session.asked[0][2]["repeatable"] is True


@pytest.mark.parametrize("body", [b"", b"ok", b"Okay", b"Specify host to restart HLTD", b"ln: secret"])
def test_only_the_expected_answer_is_success(body):
    ended = change(body)
    assert ended.result is Result.UNKNOWN
    assert "secret" not in ended.detail


@pytest.mark.parametrize(
    ("error", "result", "words"),
    [
        (
            UpstreamUnreachable("the connection was refused", may_have_arrived=False),
            Result.FAILED,
            "not sent; no answer of DQM²: ",
        ),
        (UpstreamUnreachable("the connection was broken off"), Result.UNKNOWN, "unknown effect: "),
        (UpstreamTimeout("the answer had not ended after 75 s"), Result.UNKNOWN, "unknown effect: "),
        (UpstreamUnavailable("answered 500: secret"), Result.UNKNOWN, "unknown effect: DQM² answered 500: [removed]"),
        (UpstreamRefused("answered 302, a redirect"), Result.FAILED, "refused: "),
        (UpstreamMalformed("answered 404", kind="status"), Result.FAILED, "refused: "),
        (UpstreamMalformed("the answer ended early", kind="cut"), Result.UNKNOWN, "unknown effect: "),
        (UpstreamMalformed("answered with an HTML page", kind="html"), Result.UNKNOWN, "unknown effect: "),
    ],
)
def test_whoever_cannot_know_the_effect_says_so(error, result, words):
    ended = change(error)
    assert ended.result is result
    assert ended.detail.startswith(words)


def test_a_process_relays_a_few_commands_at_once_and_refuses_more():
    relay = Relay(lambda: FakeSession(b""), 75, str)
    inside, leave = threading.Barrier(17), threading.Event()

    def stay() -> None:
        with relay.place():
            inside.wait(5)
            leave.wait(5)

    threads = [threading.Thread(target=stay) for _ in range(16)]
    for thread in threads:
        thread.start()
    inside.wait(5)
    with pytest.raises(CommandRefused) as refused:
        relay.ask(PAIRS)
    leave.set()
    for thread in threads:
        thread.join()
    assert refused.value.status == 503
    assert relay.ask(PAIRS) == b""
