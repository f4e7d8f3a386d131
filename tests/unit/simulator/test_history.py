from dqmsquare.simulator.history import History
from dqmsquare.simulator.plan import Cluster
from dqmsquare.simulator.store import HostStore

UNTIL = 1_750_000_000.0
PRODUCTION = Cluster("production", ("bu-1", "fu-1", "fu-2"))
PLAYBACK = Cluster("playback", ("dqmrubu-1", "dqmfu-1"))


def filled(cluster: Cluster = PRODUCTION, n_runs: int = 12, seed: int = 1) -> dict[str, HostStore]:
    stores = {host: HostStore(host, 8_000_000) for host in cluster.hosts}
    History(seed, cluster, 377827, UNTIL, n_runs).fill(stores)
    return stores


def test_each_header_is_that_of_the_document_which_is_made_for_it() -> None:
    for cluster in (PRODUCTION, PLAYBACK):
        for store in filled(cluster).values():
            for header in store.headers_from(None):
                (document,) = store.documents([header["_id"]])
                assert {name: document[name] for name in header} == header


def test_runs_go_back_in_time_newest_last() -> None:
    runs = History(1, PRODUCTION, 377827, UNTIL, 12).runs
    assert (len(runs), max(runs) < 377827) == (12, True)
    headers = filled()["bu-1"].headers_from(None)
    assert [header["run"] for header in headers] == runs
    times = [header["timestamp"] for header in headers]
    assert times == sorted(times)
    assert times[-1] < UNTIL


def test_a_playbacks_runs_are_numbered_without_gaps() -> None:
    assert History(1, PLAYBACK, 500015, UNTIL, 5).runs == list(range(500010, 500015))


def test_the_same_seed_gives_the_same_history() -> None:
    ids = [header["_id"] for header in filled()["fu-1"].headers_from(None)]
    first, second = filled()["fu-1"], filled()["fu-1"]
    assert first.headers_from(None) == second.headers_from(None)
    assert first.documents(ids[:20]) == second.documents(ids[:20]) == first.documents(ids[:20])
    assert filled(seed=2)["fu-1"].headers_from(None) != first.headers_from(None)


def test_revisions_have_gaps_where_documents_were_updated() -> None:
    store = filled()["fu-1"]
    assert store.newest_rev - 8_000_000 > len(store)


def test_a_history_of_thousands_of_headers_is_no_more_than_headers() -> None:
    stores = filled(n_runs=150)
    assert sum(map(len, stores.values())) > 4_500
