import time
from typing import cast

from dqmsquare.client.api import MirrorApi
from dqmsquare.client.follow import SKIPPED, follow_log, new_part
from dqmsquare.errors import MirrorUnreachable

LINES = [f"line {number} of a log that grows\n" for number in range(400)]


def test_only_what_was_added_is_shown():
    assert new_part("".join(LINES[:10]), "".join(LINES[:12])) == "".join(LINES[10:12])


def test_a_tail_that_moved_on_is_joined_where_it_overlaps():
    head, shown = "the beginning\n", "".join(LINES[:200])
    assert new_part(head + shown, head + "".join(LINES[150:260])) == "".join(LINES[200:260])


def test_a_tail_that_has_nothing_in_common_says_that_something_is_missing():
    now = "".join(LINES[300:310])
    assert new_part("".join(LINES[:50]), now) == SKIPPED + now


class Api:
    """Answers as a job that reports twice and then ends; the stream breaks once."""

    def __init__(self, monkeypatch):
        self.logs = ["one\n", "one\ntwo\n", "one\ntwo\nexit 11\n"]
        self.exit_codes = [None, None, -11]
        self.waited: list[float] = []
        monkeypatch.setattr(time, "sleep", self.waited.append)

    def get(self, path):
        return {"has_log": True, "exit_code": self.exit_codes[-len(self.logs)], "run": 7}

    def text(self, path):
        return self.logs.pop(0) if len(self.logs) > 1 else self.logs[0]

    def events(self):
        if len(self.logs) == 2:
            raise MirrorUnreachable("the stream broke off")
        yield "beat", "{}"
        yield "change", '{"run": 6}'
        yield "change", '{"run": null, "runs": [5, 6]}'
        yield "change", '{"run": 7}'
        raise AssertionError("read on, though the run has changed")


def test_a_log_is_followed_until_its_job_has_an_exit_code(monkeypatch):
    api = Api(monkeypatch)
    assert list(follow_log(cast(MirrorApi, api), "job")) == ["one\n", "two\n", "exit 11\n"]
    assert api.waited == [5.0]
