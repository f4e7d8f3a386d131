import json
from datetime import UTC, datetime, timedelta

import pytest

from dqmsquare.documents import StreamFiles
from dqmsquare.server.application import make_application
from dqmsquare.storage import host_queries, queries
from dqmsquare.storage.rows import DeliveryRow, HostRow, JobRow, LogRow
from tests.unit.server.server_fakes import Cluster, ask, blank, make_site

REPORTED_AT = datetime(2022, 9, 15, 11, 45, 47, 24707, tzinfo=UTC)
JSON = "application/json"


def job_row(**changed):
    values = {
        "job_id": "mjqxgzjaofsw64tt",
        "run": 358788,
        "tag": "beam_dqm_sourceclient-live",
        "host_label": "fu..04",
        "run_key": "cosmic_run",
        "release": "12_4_8_39145_39162",
        "exit_code": 0,
        "lumi": 99,
        "n_events": 1165,
        "rate_hz": 0.51724136,
        "rss_bytes": 722232 * 1024,
        "reported_at": REPORTED_AT,
        "heard_at": REPORTED_AT,
    }
    return blank(JobRow, **values | changed)


@pytest.fixture
def production():
    return Cluster()


@pytest.fixture
def api(tmp_path, production):
    """Asks the first API: api(what=…) gives the answer."""
    application = make_application(make_site(tmp_path, production=production))

    def ask_api(query):
        return ask(application, f"/api?{query}")

    return ask_api


@pytest.fixture
def answer_with(monkeypatch):
    """Has a query answer with something, and keeps what it was asked."""

    def replace(name, answer, module=queries):
        asked = []

        def query(connection, *arguments, **named):
            asked.append((*arguments, *named.values()))
            return answer

        monkeypatch.setattr(module, name, query)
        return asked

    return replace


@pytest.mark.parametrize(("known", "answer"), [((358788, 358790), [358788, 358790]), (None, [None, None])])
def test_get_info(api, answer_with, known, answer):
    answer_with("run_range", known)
    found = api("what=get_info&db=production")
    assert (found.status, found.headers["content-type"], json.loads(found.body)) == (200, JSON, answer)
    assert found.headers["cache-control"] == "max-age=1"


def test_get_run(api, answer_with, monkeypatch):
    monkeypatch.setattr("dqmsquare.server.first_api.utc_now", lambda: REPORTED_AT + timedelta(seconds=61.5))
    answer_with("neighbours", (358787, None))
    alive = job_row(
        job_id="nbsxe4tfmqqgc3df",
        tag="hlt_dqm_clientPB-live",
        host_label="fu..02",
        exit_code=None,
        lumi=None,
        n_events=None,
        rate_hz=None,
        rss_bytes=None,
        release=None,
        run_key=None,
    )
    asked = answer_with("jobs_of_run", [alive, job_row()])
    found = api("what=get_run&run=358788&db=production")
    time_ms = 1663242347024.707
    assert json.loads(found.body) == [
        [358787, None],
        [
            ["12_4_8_39145_39162", "cosmic_run"],
            [
                [time_ms, 61.5, "fu..02", -1, "hlt_dqm_clientPB-live", -1, "", -1, "nbsxe4tfmqqgc3df", -1],
                [time_ms, 61.5, "fu..04", 0, "beam", 99, "722232 kB", 1165, "mjqxgzjaofsw64tt", 0.51724136],
            ],
        ],
    ]
    assert asked == [(358788,)]
    assert found.headers["cache-control"] == "no-cache"  # its ages are of this second


def test_get_run_of_a_run_that_is_not_there(api, answer_with):
    answer_with("neighbours", (358788, 358790))
    answer_with("jobs_of_run", [])
    assert json.loads(api("what=get_run&run=358789&db=production").body) == [[358788, 358790], [[], []]]


def test_get_run_never_answers_with_an_age_older_than_a_second(api, answer_with, production, monkeypatch):
    monkeypatch.setattr("dqmsquare.server.first_api.utc_now", production.clock)
    answer_with("neighbours", (None, None))
    asked = answer_with("jobs_of_run", [job_row()])
    api("what=get_run&run=358788&db=production")
    api("what=get_run&run=358788&db=production")
    production.clock.advance(1.1)
    api("what=get_run&run=358788&db=production")
    assert len(asked) == 2
    assert production.snapshots.expire() == set()  # no open page is told of that


def test_a_job_without_a_time_of_its_own_has_that_of_its_arrival(api, answer_with):
    answer_with("neighbours", (None, None))
    answer_with("jobs_of_run", [job_row(reported_at=None)])
    assert json.loads(api("what=get_run&run=358788").body)[1][1][0][0] == 1663242347024.707


@pytest.fixture
def held(monkeypatch):
    """held(listings) has the database hold these runs, newest first; gives the ranges that were asked for."""

    def hold(runs):
        asked = []

        def listings_between(connection, first, last):
            asked.append((first, last))
            return ((run, json.dumps(entry)) for run, entry in runs.items() if first <= run <= last)

        monkeypatch.setattr("dqmsquare.server.first_api_runs.listings_between", listings_between)
        return asked

    return hold


BEAM_04 = ["fu..04", 1165, 0, "1", -11, "2022-09-15T13:45:47.024707+02:00"]
BEAM_05 = ["fu..05", 1165, 99, "1", 0, "2022-09-15T13:45:47.024707+02:00"]
SECOND = ["fu..02", 1165, 99, "1", 0, "2022-09-15T13:45:47.024707+02:00"]
RUNNING = ["fu..04", -1, -1, "", -1, ""]
RUN_DATA = [358788, "cosmic_run", "12_4_8_39145_39162"]
NEWEST = {"run_data": [358790, "cosmic_run", "12_4_8_39145_39162"], "clients": {"beam": [RUNNING]}}
RUNS = {
    358790: NEWEST,
    358788: {
        "run_data": RUN_DATA,
        "clients": {"beam": [BEAM_04, BEAM_05], "visualization-live-secondInstance": [SECOND]},
    },
}


@pytest.mark.parametrize(
    ("chosen", "answer"),
    [
        ("bad_only=0&ls=0", {str(run): entry for run, entry in RUNS.items()}),
        ("bad_only=1", {"358790": NEWEST, "358788": {"run_data": RUN_DATA, "clients": {"beam": [BEAM_04]}}}),
        (
            "ls=1",
            {
                "358788": {
                    "run_data": RUN_DATA,
                    "clients": {"beam": [BEAM_05], "visualization-live-secondInstance": [SECOND]},
                }
            },
        ),
        ("bad_only=1&ls=1", {}),
    ],
)
@pytest.mark.parametrize("width", ["from=358788&to=358790", "from=358790&to=358788", "from=0&to=358790"])
def test_get_runs(api, held, chosen, answer, width):
    asked = held(RUNS)
    found = api(f"what=get_runs&{width}&{chosen}&db=production")
    assert (found.headers["content-type"], json.loads(found.body)) == (JSON, answer)
    assert list(json.loads(found.body)) == list(answer)  # newest first
    assert asked == [(0 if "from=0" in width else 358788, 358790)]


@pytest.mark.parametrize("per_piece", [1, 2, 3])
def test_get_runs_reads_history_a_few_runs_at_a_time(api, monkeypatch, held, per_piece):
    asked = held(dict.fromkeys((9, 7, 6, 2), NEWEST))
    monkeypatch.setattr("dqmsquare.server.first_api_runs._RUNS_PER_PIECE", per_piece)
    assert list(json.loads(api("what=get_runs&from=0&to=100000&db=production").body)) == ["9", "7", "6", "2"]
    assert [last for _, last in asked] == {1: [100000, 8, 6, 5, 1], 2: [100000, 6, 1], 3: [100000, 5]}[per_piece]


def test_get_runs_of_a_wide_range_without_a_database_is_unavailable(api, production):
    production.fake.is_gone = True
    assert api("what=get_runs&from=0&to=100000&db=production").status == 503


def test_get_clients(api, answer_with):
    tags = ["beam_dqm_sourceclient-live", "dt4ml_dqm_sourceclient-live", "hlt_dqm_clientPB-live"]
    asked = answer_with("tags_between", tags)
    found = api("what=get_clients&from=358790&to=358788&db=production")
    assert json.loads(found.body) == ["beam", "dt4ml", "hlt_dqm_clientPB-live"]
    assert asked == [(358788, 358790)]


def test_get_graph(api, answer_with):
    files = StreamFiles((1, 2), (10.5, 20.5), (11.5, 21.5), (9472, 9653), (6, -1), (1042242, -1))
    delivery = DeliveryRow(
        document_id="mrsxi2lpnzqxe6jb",
        run=358788,
        tag="analyze_files",
        rev=3,
        stamp=1663242347.5,
        host_id="host000000000001",
        host_label="bu..01",
        global_start=1663240007.721733,
        global_start_estimated=False,
        lumi_seconds=23.310893056,
        streams={"streamDQM": files},
    )
    answer_with("delivery_of_run", delivery)
    stream = {
        "lumis": [1, 2],
        "mtimes": [10.5, 20.5],
        "ctimes": [11.5, 21.5],
        "evt_processed": [9472, 9653],
        "evt_accepted": [6, -1],
        "fsize": [1042242, -1],
    }
    assert json.loads(api("what=get_graph&run=358788&db=production").body) == [
        358788,
        3,
        "mrsxi2lpnzqxe6jb",
        1663242347.5,
        1663240007.721733,
        {"streamDQM": stream},
        "bu..01",
    ]


def test_get_graph_of_a_run_without_files(api, answer_with):
    answer_with("delivery_of_run", None)
    assert api("what=get_graph&run=1&db=production").body == b"[]"


def test_get_logs_is_escaped_and_says_where_something_is_missing(api, answer_with):
    log = LogRow(
        job_id="mjqxgzjaofsw64tt",
        run=358788,
        tag="beam",
        head="<script>alert('x')</script>\n",
        tail="& the end\n",
        gap=True,
        n_removed=0,
    )
    asked = answer_with("log_of_job", log)
    found = api("what=get_logs&id=mjqxgzjaofsw64tt&db=production")
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert found.text == ("<pre>&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;\n\n ... \n\n&amp; the end\n</pre>")
    assert asked == [("mjqxgzjaofsw64tt",)]


def test_get_logs_of_a_job_whose_log_is_gone_and_of_no_job(api, answer_with):
    answer_with("log_of_job", None)
    answer_with("job", job_row())
    assert api("what=get_logs&id=mjqxgzjaofsw64tt").text == "<pre>\n ... \n\n</pre>"
    answer_with("job", None)
    found = api("what=get_logs&id=dqm-source-state-run358788-hostfu-c2f11-11-04-pid041552")
    assert (found.status, found.text) == (404, "There is no job with this id")


def test_get_cluster_status(api, answer_with):
    seen_at = datetime.fromtimestamp(1795497818.982514, UTC)
    answer_with(
        "hosts_of_cluster",
        [
            blank(HostRow, label="fu..03", is_up=True, status_seen_at=seen_at),
            blank(HostRow, label="fu..04", is_up=False, message="timed out", status_seen_at=seen_at),
            blank(HostRow, label="never told"),
        ],
        host_queries,
    )
    assert json.loads(api("what=get_cluster_status&cluster=production").body) == [
        ["fu..03", True, None, 1795497818.982514],
        ["fu..04", False, "timed out", 1795497818.982514],
    ]


@pytest.mark.parametrize("name", ["lookarea", "", "Production", "production%20", "1"])
@pytest.mark.parametrize("query", ["get_info&db", "get_run&run=1&db", "get_cluster_status&cluster"])
def test_another_cluster_is_refused_in_these_words(api, query, name):
    found = api(f"what={query}={name}")
    assert (found.status, found.text) == (400, "db must be one of ['production', 'playback']")
    assert found.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("get_run&run=abc", "run must be an integer"),
        ("get_run&run=", "run must be an integer"),
        ("get_run&run=1.5", "run must be an integer"),
        ("get_run&run=1e3", "run must be an integer"),
        ("get_run&run=%EF%BC%95", "run must be an integer"),
        ("get_run&run=1'--", "run must be an integer"),
        ("get_graph&run=x", "run must be an integer"),
        ("get_runs&from=x&to=1", "from must be an integer"),
        ("get_runs&from=1&to=x", "to must be an integer"),
        ("get_runs&from=1&to=2&bad_only=yes", "bad_only must be an integer"),
        ("get_runs&from=1&to=2&ls=true", "ls must be an integer"),
        ("get_clients&from=1&to=-", "to must be an integer"),
    ],
)
def test_what_is_no_integer_is_refused(api, query, sentence):
    found = api(f"what={query}")
    assert (found.status, found.text) == (400, sentence)


@pytest.mark.parametrize("run", ["+5", "%205%20", "05", "5&run=x", "5&more=1"])
def test_integers_are_taken_as_they_are_today(api, answer_with, run):
    answer_with("neighbours", (None, None))
    asked = answer_with("jobs_of_run", [])
    assert api(f"what=get_run&run={run}").status == 200
    assert asked == [(5,)]


@pytest.mark.parametrize(("run", "asked_for"), [("9" * 18, 2**31 - 1), ("-" + "9" * 18, 1 - 2**31), ("0", 0)])
def test_a_run_beyond_all_runs_is_not_there(api, answer_with, run, asked_for):
    answer_with("neighbours", (358790, None))
    asked = answer_with("jobs_of_run", [])
    assert json.loads(api(f"what=get_run&run={run}").body) == [[358790, None], [[], []]]
    assert asked == [(asked_for,)]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("what=get_everything", "get_everything is not supported"),
        ("what=get_run%00%1b[1m", "get_run[1m is not supported"),
        ("what=" + "x" * 500, "x" * 60 + " is not supported"),
        ("what=", "An empty what is not supported"),
        ("", "An empty what is not supported"),
    ],
)
def test_another_what_is_not_supported(api, query, sentence):
    found = api(query)
    assert (found.status, found.text, found.headers["content-type"]) == (404, sentence, "text/plain; charset=utf-8")


def test_what_is_asked_again_is_answered_from_memory(api, answer_with, production):
    asked = answer_with("tags_between", ["beam"])
    first, second = (api("what=get_clients&from=1&to=2&db=production") for _ in range(2))
    assert (first.body, len(asked)) == (second.body, 1)
    production.fake.newest = 11
    production.snapshots.forget([2], 11)
    api("what=get_clients&from=1&to=2&db=production")
    assert len(asked) == 2
