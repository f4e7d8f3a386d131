"""The detector and the scrubber, which know nothing of each other, against the same lines."""

import pytest

from tests.acceptance.leak_detector import LeakDetector, known_values
from tests.unit.test_scrub import GOES, SURVIVES

DETECTOR = LeakDetector({"hunter2", "jdoe12", "aHVudGVyMg", "dqm-x"})
LINES = [(text, expected) for text, expected, _ in GOES if text != "dqm-x"]  # its label begins with its name


@pytest.mark.parametrize(("text", "expected"), LINES, ids=repr)
def test_security_g1_what_the_scrubber_takes_out_the_detector_finds_before_and_not_after(text: str, expected: str):
    assert DETECTOR.found(text) != []
    assert DETECTOR.found(expected) == []


@pytest.mark.parametrize("text", SURVIVES, ids=repr)
def test_security_g1_what_must_survive_is_no_leak(text: str):
    assert DETECTOR.found(text) == []


def test_what_documents_and_settings_keep_to_themselves_is_known():
    document = {"_id": "id-of-it", "pid": 41554, "tag": "beam", "cmdline": ["runUniqueKey=unique"],
                "extra": {"environ": {"X": "in the environment", "Y": "1"}, "meminfo": 5}}  # fmt: skip
    known = known_values([document], {"DQM_FFF_SECRET": "settings", "SERVER_PORT": "8084000"})
    assert known == {"id-of-it", "pid41554", "unique", "in the environment", "settings"}


def test_machines_may_be_shown_where_they_may_and_nothing_else():
    detector = LeakDetector({"dqm-stats-fu-c2f11-11-01", "hunter2"}, machines={"fu-c2f11-11-01"})
    assert detector.found("fu-c2f11-11-01: well") == []
    assert detector.found("fu-c2f11-11-01.cms fu-c2f11-11-02 hunter2") == ["fu-c2f11-11-02", "hunter2", "machine.cms"]
