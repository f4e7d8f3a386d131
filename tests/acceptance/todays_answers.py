"""The kept API's answers for the real run beside those of today's mirror, apart from the named differences."""

from typing import Any

from dqmsquare.identity import PublicIds
from tests.postgres import KEY
from tests.programs import Mirror

RUN = 358788


def _public(document_id: str) -> str:
    return PublicIds(KEY, "production").document(document_id)


def assert_answers_as_today(
    mirror: Mirror, original: dict[str, Any], recorded: list[dict[str, Any]], graph_timestamp: float
) -> None:
    """`original`: today's answers; `recorded`: the documents they were made of."""
    assert mirror.json("/api?what=get_clients&from=358788&to=358788&db=production") == original["get_clients"]

    neighbours, (run_data, jobs) = mirror.json(f"/api?what=get_run&run={RUN}&db=production")
    [_, (original_run_data, original_jobs)] = original["get_run"]
    assert (neighbours, run_data) == ([None, None], original_run_data)
    # Ages are of the moment; ids say nothing any more; everything else is the same, in the same order.
    assert [job[:1] + job[2:8] + job[9:] for job in jobs] == [job[:1] + job[2:8] + job[9:] for job in original_jobs]
    assert [job[8] for job in jobs] == [_public(job[8]) for job in original_jobs]
    assert all(job[1] > 0 for job in jobs)

    runs = mirror.json("/api?what=get_runs&from=358788&to=358788&bad_only=0&ls=0&db=production")
    highest_cmssw_run = max(int(document.get("cmssw_run") or 0) for document in recorded)
    expected = original["get_runs"][str(RUN)]
    assert runs == {
        str(RUN): {"run_data": [highest_cmssw_run, *expected["run_data"][1:]], "clients": expected["clients"]}
    }
    assert mirror.json("/api?what=get_runs&from=358789&to=358788&bad_only=1&db=production") == {}

    run, rev, graph_id, timestamp, global_start, streams, label = mirror.json(f"/api?what=get_graph&run={RUN}")
    assert (run, graph_id, global_start, label) == (RUN, _public(original["get_graph"][2]), 1663240007.721733, "bu..01")
    assert rev > 0
    assert timestamp == graph_timestamp
    assert streams == {key.split("_")[0]: files for key, files in original["get_graph"][5].items()}

    status = mirror.json("/api?what=get_cluster_status&cluster=production")
    assert sorted(row[:3] for row in status) == sorted(
        [row[0].removesuffix(".cms"), *row[1:3]] for row in original["get_cluster_status"]
    )
