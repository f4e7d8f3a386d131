"""Histories that begin anew or change below the cursor, over HTTP and as the pages tell it."""

from pathlib import Path

from tests.faults.pages import application_on
from tests.faults.wire import HOST, Wire, public, raw_disk, wired
from tests.postgres import TestPlace
from tests.unit.server.server_fakes import ask

WEEK = str(7 * 86_400)


def test_f16_pages_say_that_a_source_was_restarted_until_all_of_it_is_here_again(wire: Wire, tmp_path: Path):
    wire.upload(*range(8))
    wire.settle()
    application = application_on(wire.place, tmp_path)
    assert "source restarted" not in ask(application, "/live/partial").text
    wire.simulator.reset(HOST)
    wire.cycle()
    assert wire.cursor.epoch == 1, "one empty answer may be a mishap"
    wire.cycle()
    assert wire.counted("resyncs_total") == 1
    assert wire.counted("epoch") == 2
    newest = wire.place.rows("SELECT max(change_id) FROM mirror.changes")[0][0]
    database = wire.place.rows("SELECT database_id FROM mirror.identity")[0][0]
    page = ask(application, f"/live/partial?after={database}-{newest}").text
    assert "source restarted" in page
    wire.upload(1, 2)
    wire.settle(compare=True)
    assert len(wire.mirrored()) == 8, "what only the former history had stays"
    assert wire.cursor.compared_at is not None


def test_f17_a_history_that_has_grown_past_the_cursor_before_anybody_looked_is_another_one(wire: Wire):
    wire.upload(*range(8))
    wire.settle()
    wire.simulator.reset(HOST)
    for number in range(20):
        wire.simulator.stores[HOST].upload(raw_disk(number, 100 + number, _rev=8_000_000 + number))
    wire.cycle()
    assert wire.cursor.epoch == 2, "by what stands at the head; the comparison would notice a day later"
    wire.settle(compare=True)
    wire.assert_same()


def test_f18_the_newest_row_dropped_and_its_revision_given_out_again_is_another_history(wire: Wire):
    wire.upload(*range(8))
    wire.settle()
    wire.simulator.drop(HOST, newest=1)
    wire.upload(70)
    wire.cycle()
    assert wire.cursor.epoch == 2
    wire.settle(compare=True)
    assert public(70) in wire.mirrored()


def low(wire: Wire) -> None:
    """Stores a document at a revision that was passed long ago, where it deletes the header that stood there."""
    wire.upload(*range(1, 9))
    wire.settle()
    below = wire.simulator.stores[HOST].headers_from(None)[3]["_rev"]
    wire.upload(99, _rev=below)
    wire.cycle()
    assert public(99) not in wire.mirrored()


def test_f19_a_row_at_a_low_revision_is_found_by_the_daily_comparison(wire: Wire):
    assert wire.config.full_check_seconds == 86_400
    low(wire)
    wire.worker._replication._history._not_before = 0.0  # the last listing is long ago
    wire.place.rows("UPDATE mirror.cursors SET compared_at = now() - interval '23 hours'")
    wire.worker.record.release()  # it reads the cursor anew
    for _ in range(5):
        wire.cycle()
    assert public(99) not in wire.mirrored()
    wire.place.rows("UPDATE mirror.cursors SET compared_at = now() - interval '25 hours'")
    wire.worker.record.release()
    wire.settle()
    assert public(99) in wire.mirrored()


def test_f19_and_by_one_that_is_asked_for_at_the_start(place: TestPlace):
    with wired(place, FULL_CHECK_SECONDS=WEEK) as wire:
        low(wire)
        wire.close()
        again = Wire(place, wire.simulator, full_check=True, FULL_CHECK_SECONDS=WEEK)
        again.settle()
        assert public(99) in again.mirrored()
        again.close()
