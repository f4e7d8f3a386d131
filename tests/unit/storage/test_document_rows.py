"""What is worked out of a document when it is stored: sparklines, growth of memory, delays."""

import base64
import dataclasses

import pytest

from dqmsquare.storage.document_rows import (
    delivery_delay,
    memory_slope,
    memory_spark,
    rate_spark,
    rows_by_table,
    stream_summaries,
)
from dqmsquare.storage.packing import unpack_text
from tests.examples import NOW, delivery_document, job_document

MIB = 2**20


def _memory(minutes: int, *, growth_mb_per_hour: float, start_mib: int = 1000) -> list[tuple[int, int, int]]:
    return [
        (30 * step, int(start_mib * MIB + growth_mb_per_hour * 1e6 * step / 120), 0) for step in range(2 * minutes + 1)
    ]


def test_growth_is_measured_over_the_last_hour():
    steady_then_growing = _memory(120, growth_mb_per_hour=0)
    last = steady_then_growing[-1]
    steady_then_growing += [(last[0] + t, last[1] + int(300e6 * t / 3600), 0) for t in range(30, 3630, 30)]
    assert memory_slope(steady_then_growing) == pytest.approx(300, rel=0.01)


def test_filling_up_in_the_first_minutes_is_no_growth():
    filling = [(t, 1000 * MIB * min(t, 300) // 300, 0) for t in range(0, 1801, 30)]
    assert memory_slope(filling) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("memory", [[], _memory(5, growth_mb_per_hour=500), _memory(19, growth_mb_per_hour=500)])
def test_too_short_a_history_says_nothing(memory):
    assert memory_slope(memory) is None


def test_sparklines_hold_twenty_values_with_the_newest_at_the_end():
    lumis = [(lumi, 10 * lumi, 10.0) for lumi in range(1, 101)]
    assert rate_spark(lumis) == [float(lumi) for lumi in range(81, 101)]
    assert rate_spark([(1, 5, 0.0)]) == [], "no time, no rate"
    memory = [(t, t * MIB, 0) for t in range(1, 62)]
    spark = memory_spark(memory)
    assert (len(spark), spark[0], spark[-1]) == (20, 1, 61)
    assert spark == sorted(spark)
    assert memory_spark(memory[:1]) == [1]


def test_the_delay_is_from_the_end_of_the_lumisection():
    assert delivery_delay(1000.0, 23.0, 2, 1051.0) == 5.0
    assert delivery_delay(1000.0, 23.0, 2, -1.0) is None, "an unreadable file"
    assert delivery_delay(None, 23.0, 2, 1051.0) is None


def test_a_stream_without_start_has_no_delay_but_its_sums():
    [summary] = stream_summaries(delivery_document(global_start=None))
    assert summary == ["DQM", None, None, None, 3, 17, 300]


def test_of_one_document_twice_in_a_batch_the_newer_is_stored():
    rows = rows_by_table([job_document(rev=11, lumi=41), job_document(rev=10, lumi=40)], epoch=1)
    assert [(row["rev"], row["lumi"]) for row in rows["jobs"]] == [(11, 41)]


def test_every_body_of_a_large_batch_is_compressed():
    jobs = [job_document(document_id=f"{number:016}", log_head=f"log {number}\n", log_tail="") for number in range(70)]
    bodies = [row["body"] for row in rows_by_table(jobs, epoch=1)["job_logs"]]
    assert [unpack_text(base64.b64decode(body)) for body in bodies] == [job.log_head for job in jobs]


def test_a_job_without_a_log_has_no_row_for_one():
    rows = rows_by_table([job_document(log_head="", log_tail="")], epoch=1)
    assert set(rows) == {"jobs", "job_series"}
    assert rows["jobs"][0]["has_log"] is False


def test_f21_a_clock_ahead_does_not_make_a_job_heard_of_in_the_future():
    document = job_document()
    early = dataclasses.replace(document, received_at=NOW)  # received before it says it was sent
    ahead = dataclasses.replace(early, reported_at=document.received_at)
    assert rows_by_table([ahead], epoch=1)["jobs"][0]["heard_at"] == ahead.received_at
