"""How heavy an update is on the wire: a phone at three in the morning has a thin line."""

import urllib.error
import urllib.request

import pytest

from tests.browser.rehearsal import Rehearsal

UPDATE_MAX_BYTES = 8 * 1024


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_an_update_is_a_few_kilobytes_or_not_modified(stage: Rehearsal, coding: str):
    request = urllib.request.Request(stage.url + "/live/partial", headers={"Accept-Encoding": coding})
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Content-Encoding"] == coding
        assert len(answer.read()) < UPDATE_MAX_BYTES
        request.add_header("If-None-Match", answer.headers["ETag"])
    with pytest.raises(urllib.error.HTTPError) as unchanged:
        urllib.request.urlopen(request)
    assert unchanged.value.code == 304
    assert unchanged.value.read() == b""
