"""From the outbox to the webhook: at least once, with the key, by whoever is in charge."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from dqmsquare.alarm_names import Rule
from dqmsquare.errors import StoreUnavailable, WebhookFailed
from dqmsquare.storage.alarm_sender import AlarmSender
from dqmsquare.storage.alarms import NewAlarm, raise_alarms
from dqmsquare.storage.lease import Lease
from dqmsquare.storage.outbox import Outbox, standing_in
from dqmsquare.webhook import Webhook
from tests.certs.authority import Authority
from tests.postgres import TestPlace
from tests.programs import wait_for
from tests.webhook_receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def queue(place: TestPlace, *names: str) -> list[str]:
    found = [NewAlarm(rule=Rule.JOB_CRASHED, subject=name, words=f"{name} crashed", job_id=name) for name in names]
    for alarm in found:
        with place.owner().writing() as connection:
            raise_alarms(connection, "production", [alarm], is_queued=True)
    return [alarm.key("production") for alarm in found]


def sender_of(place: TestPlace, receiver: Receiver, *, as_server: bool = False, **settings) -> AlarmSender:
    changed = {
        "alert_webhook_url": receiver.url,
        "webhook_deadline_seconds": 1.0,
        "webhook_backoff_max_seconds": 1.0,
        "server_public_url": "https://cmsweb.example",
        "server_url_prefix": "/dqm/dqm-square",
        **settings,
    }
    database = place.reader() if as_server else place.owner()
    return AlarmSender(database, replace(place.config, **changed), lambda: nullcontext(True))


def make_due(place: TestPlace) -> None:
    place.rows("UPDATE mirror.webhook_outbox SET not_before = now()")


@pytest.mark.parametrize("as_server", [False, True], ids=["grabber", "server"])
def test_what_is_queued_is_sent_in_order_once_and_marked(any_place: TestPlace, receiver: Receiver, as_server: bool):
    keys = queue(any_place, "b", "a", "c")
    sender = sender_of(any_place, receiver, as_server=as_server)
    sender.send_due()
    make_due(any_place)
    sender.send_due()
    assert receiver.keys == keys
    assert receiver.messages[0] == {
        "username": "DQM² Mirror",
        "text": "**Job crashed** (production): b crashed. "
        f"[Show](https://cmsweb.example/dqm/dqm-square/jobs/b?db=production)\n`{keys[0]}`",
    }
    assert any_place.rows("SELECT DISTINCT n_tries, sent_at IS NOT NULL FROM mirror.webhook_outbox") == [(1, True)]


def test_a_crash_between_sending_and_marking_sends_again_with_the_same_key(
    place: TestPlace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    [key] = queue(place, "a")

    def crash(*_: object) -> None:
        raise StoreUnavailable("gone at this very moment")

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "mark_sent", crash)
        with pytest.raises(StoreUnavailable):
            sender_of(place, receiver).send_due()
    sender_of(place, receiver).send_due()
    assert receiver.keys == [key]  # it is the dead sender's for a while
    make_due(place)
    sender_of(place, receiver).send_due()
    assert receiver.keys == [key, key]


def test_a_webhook_that_is_away_gets_everything_later_and_is_logged_once(
    place: TestPlace, receiver: Receiver, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    keys = queue(place, "a", "b")
    receiver.status = 502
    sender = sender_of(place, receiver, webhook_backoff_max_seconds=0.2)
    sender.start()
    try:
        wait_for(lambda: receiver.n_refused >= 2, "it tries again")
        receiver.status = 200
        make_due(place)
        sender.wake()
        wait_for(lambda: sorted(receiver.keys) == sorted(keys), "all are there")
        wait_for(lambda: "takes messages again" in caplog.text, "it says so")
    finally:
        sender.stop()
        sender.join()
    assert caplog.text.count("does not take messages: answered 502") == 1
    assert "secret" not in caplog.text


def test_a_message_that_is_never_taken_does_not_stop_the_others(place: TestPlace, receiver: Receiver):
    bad, good = queue(place, "bad", "good")
    sender = sender_of(place, receiver)
    receiver.status = 400
    with pytest.raises(WebhookFailed):
        sender.send_due()
    receiver.status = 200
    sender.send_due()
    assert receiver.keys == [good]
    waits = place.rows(
        f"SELECT extract(epoch FROM not_before - now())::int FROM mirror.webhook_outbox WHERE alarm_key = '{bad}'"
    )
    assert waits in ([(5,)], [(6,)])  # a moment may have passed since


def test_two_senders_share_the_work(any_place: TestPlace, receiver: Receiver):
    keys = queue(any_place, *(f"job{n}" for n in range(20)))
    threads = [threading.Thread(target=sender_of(any_place, receiver).send_due) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(receiver.keys) == sorted(keys)


def test_a_webhook_that_hangs_is_left_at_its_deadline(receiver: Receiver):
    receiver.is_hanging.set()
    begun = time.monotonic()
    with pytest.raises(WebhookFailed, match=r"had not ended after 0\.5 s"):
        Webhook(receiver.url, deadline_seconds=0.5).send({"text": "hello"})
    assert time.monotonic() - begun < 2


def test_a_stop_does_not_wait_for_a_webhook_that_hangs(place: TestPlace, receiver: Receiver):
    queue(place, "a")
    receiver.is_hanging.set()
    sender = sender_of(place, receiver, webhook_deadline_seconds=60.0)
    sender.start()
    wait_for(lambda: place.rows("SELECT 1 FROM mirror.webhook_outbox WHERE n_tries = 1"), "it is being sent")
    time.sleep(0.2)
    sender.stop()
    sender.cut_short()
    sender.join(5)
    assert not sender.is_alive()


def test_the_webhooks_certificate_is_verified(tmp_path: Path):
    authority = Authority(tmp_path)
    pair = authority.issue("webhook", hosts=["127.0.0.1"])
    with receiving((pair.certificate, pair.key)) as receiver:
        with pytest.raises(WebhookFailed, match="certificate cannot be verified"):
            Webhook(receiver.url, deadline_seconds=5).send({"text": "`k`"})
        Webhook(receiver.url, deadline_seconds=5, ca_bundle=authority.bundle).send({"text": "`k`"})
        assert receiver.keys == ["k"]


def test_a_server_stands_in_only_while_no_grabber_stamps(any_place: TestPlace):
    server, lease = any_place.reader(), Lease(any_place.owner(), "cluster", takeover_seconds=10)
    with standing_in(server, 60) as is_ours:
        assert is_ours  # there never was a grabber
        assert not lease.hold()  # and one that comes waits its turn
    wait_for(lease.hold, "the lock is free again")
    with standing_in(server, 60) as is_ours:
        assert not is_ours
    any_place.rows("UPDATE mirror.leases SET stamped_at = now() - interval '61 seconds'")
    with standing_in(server, 60) as is_ours:
        assert is_ours  # though the grabber that hangs still has the lock
    lease.release()
    with standing_in(server, 60) as is_ours:
        assert is_ours
