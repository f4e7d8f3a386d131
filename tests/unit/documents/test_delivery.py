from datetime import UTC, datetime

import pytest

from dqmsquare.documents import DeliveryDocument, StreamFiles
from tests.unit.documents.raw import DELIVERY, IDS, RECEIVED_AT, changed, leaks, read


def with_streams(**streams: object):
    return changed(DELIVERY, {"extra.streams": streams})


def columns(lumis: list, **more: list) -> dict[str, list]:
    n = len(lumis)
    names = ("mtimes", "ctimes", "evt_processed", "evt_accepted", "fsize")
    return {"lumis": lumis} | {name: list(range(n)) for name in names} | more


def test_a_delivery_is_read_by_its_allow_list():
    assert read(DELIVERY) == DeliveryDocument(
        document_id=IDS.document(DELIVERY["_id"]),
        host_id=IDS.host("bu-c2f11-09-01"),
        host_label="bu..01",
        rev=3,
        stamp=1663242305.6738243,
        reported_at=datetime(2022, 9, 15, 11, 45, 5, 673824, tzinfo=UTC),
        received_at=RECEIVED_AT,
        run=358788,
        tag="analyze_files",
        global_start=1663240007.721733,
        global_start_estimated=False,
        lumi_seconds=23.310893056,
        streams={
            "streamDQM": StreamFiles(
                (1, 3), (1663240052.5, 1663240099.6), (1663240052.6, 1663240099.7), (9472, -1), (6, -1), (1042242, -1)
            )
        },
    )


def test_a_lookareas_tag_has_the_label_of_its_host():
    raw = changed(DELIVERY, tag="analyze_files_lookarea_c2a06_05_01", hostname="bu-c2a06-05-01")
    delivery = read(raw)
    assert (delivery.tag, leaks(delivery, raw)) == ("analyze_files_lookarea_bu..01", [])


def test_what_several_hosts_wrote_of_one_stream_is_merged_by_lumisection():
    raw = with_streams(
        **{
            "streamDQM_sm-c2a11-43-01": columns([3, 1], fsize=[31, 11]),
            "streamDQM_sm-c2a11-43-02": columns([2, 1], fsize=[22, 12]),
            "streamDQMEventDisplay": columns([5]),
        }
    )
    delivery = read(raw)
    assert list(delivery.streams) == ["streamDQM", "streamDQMEventDisplay"]
    assert (delivery.streams["streamDQM"].lumis, delivery.streams["streamDQM"].sizes_bytes) == (
        (1, 1, 2, 3),
        (11, 12, 22, 31),
    )
    assert delivery.n_field_errors == 0


def test_lists_of_unequal_length_are_read_as_far_as_all_go_and_counted():
    delivery = read(with_streams(streamDQM=columns([1, 2, 3], fsize=[10, 20]), streamB=columns([1], fsize=[1, 2])))
    assert (delivery.streams["streamDQM"].lumis, delivery.streams["streamDQM"].sizes_bytes) == ((1, 2), (10, 20))
    assert delivery.streams["streamB"].lumis == (1,)
    assert delivery.n_field_errors == 2


def test_a_value_that_is_none_is_an_unreadable_file_and_a_lumisection_that_is_none_is_left_out():
    delivery = read(
        with_streams(streamDQM=columns([1, None, 3], fsize=[float("nan"), 2, "x"], mtimes=["5.5", 1, None]))
    )
    files = delivery.streams["streamDQM"]
    assert (files.lumis, files.sizes_bytes, files.mtimes) == ((1, 3), (-1, -1), (5.5, -1.0))
    assert delivery.n_field_errors == 1


def test_the_predecessor_has_only_times_and_lumisections():
    raw = changed(with_streams(streamDQM={"lumis": [2, 1], "mtimes": [20.5, 10.5]}), type="dqm-timestamps")
    delivery = read(raw)
    assert delivery.streams == {
        "streamDQM": StreamFiles((1, 2), (10.5, 20.5), (-1.0, -1.0), (-1, -1), (-1, -1), (-1, -1))
    }
    assert (delivery.flags, delivery.n_field_errors) == (("old-shape",), 0)


@pytest.mark.parametrize(
    "streams", [None, [], {"sm-c2a11-43-01": {}}, {"streamDQM": []}, {"streamDQM": {"lumis": 5}}, {5: {}}]
)
def test_streams_that_are_none_do_not_cost_the_document(streams):
    delivery = read(changed(DELIVERY, {"extra.streams": streams}))
    assert all(files.lumis == () for files in delivery.streams.values())
    assert delivery.n_field_errors == (0 if streams is None else 1)


def test_the_start_may_be_an_estimate():
    delivery = read(changed(DELIVERY, {"extra.global_start_source": "first_lumi"}))
    assert (delivery.global_start, delivery.global_start_estimated) == (1663240007.721733, True)


def test_without_a_start_and_a_length_the_usual_length_holds():
    delivery = read(changed(DELIVERY, {"extra.global_start": None, "extra.lumi": None}))
    assert (delivery.global_start, delivery.lumi_seconds, delivery.n_field_errors) == (None, 23.310893056, 0)


def test_a_column_has_at_most_twenty_thousand_entries():
    delivery = read(with_streams(streamDQM=columns(list(range(1, 30_001)))))
    assert (len(delivery.streams["streamDQM"].lumis), delivery.streams["streamDQM"].lumis[-1]) == (20_000, 30_000)
