import re
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import orjson
import pytest
from bs4 import BeautifulSoup

from tests.browser.cast import CLIENTS, RUN, STREAMS, a_log, fill, job_id
from tests.browser.rehearsal import PREFIX, PROJECT, Rehearsal

NOW = datetime(2022, 9, 15, 14, 55, tzinfo=UTC)
PIXEL = job_id("pixel")
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
PATHS = {
    "live": "/",
    "live, filtered": "/?q=pix&state=crashed&sort=-events&palette=classic",
    "wall": "/?kiosk=1",
    "playback": "/?db=playback",
    "no such run": "/?run=5",
    "job": f"/jobs/{PIXEL}",
    "row": f"/jobs/{PIXEL}/row",
    "log": f"/jobs/{PIXEL}/log",
    "errors": f"/jobs/{PIXEL}/log?errors=1",
    "delivery": f"/runs/{RUN}/delivery",
    "help": "/help",
    "timeline": "/timeline/?pin=crashed",
    "card": f"/timeline/{RUN}/pixel_dqm_sourceclient-live/card",
}


@pytest.fixture
def stage(monkeypatch):
    rehearsal = Rehearsal(monkeypatch, lambda: NOW)
    fill(rehearsal)
    return rehearsal


class Answer:
    def __init__(self, status, headers, body):
        self.status = int(status[:3])
        self.headers = dict(headers)
        self.text = body.decode()
        self.soup = BeautifulSoup(self.text, "html.parser")


def get(stage, path, **headers):
    path, _, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": PREFIX + path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": BytesIO(),
        "wsgi.errors": BytesIO(),
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    begun = []
    body = b"".join(stage.application(environ, lambda status, pairs, exc_info=None: begun.append((status, pairs))))
    return Answer(*begun[-1], body)


def words(element):
    return re.sub(r"\s+", " ", element.get_text(" ", strip=True))


def rows(soup, *, hidden=False):
    return [row["data-client"] for row in soup.select("[data-row]") if row.has_attr("hidden") == hidden]


def test_the_live_page_says_all_of_a_run_at_its_top(stage):
    soup = get(stage, "/").soup
    assert soup.title.string == f"(2 crashed) Run {RUN}"
    assert [words(part) for part in soup.select("#run-head .facts > div")] == [
        "run key cosmic_run",
        "CMSSW 12_4_8 + 2 PRs cmssw #39145 cmssw #39162",
        "lumisection 468",
        "started 13:55:00 13:55:00",
        "last file 21 s delivery delay",
    ]
    assert [words(link) for link in soup.select(".links a")] == ["OMS", "DQM GUI", "Run Registry"]
    assert soup.select_one("a[rel=prev]")["href"] == f"{PREFIX}/?run={RUN - 1}&db=production"
    assert words(soup.select_one(".badge-latest")) == "latest"


def test_tiles_count_and_lead_to_their_state(stage):
    tiles = [(words(tile), tile["href"].split("&")[-1]) for tile in get(stage, "/").soup.select(".tile")]
    assert tiles == [
        ("2 crashed", "state=crashed"),
        ("1 failed", "state=failed"),
        ("1 stuck", "state=stuck"),
        ("1 missing", "state=missing"),
        ("1 quiet", "state=quiet"),
        ("25 running", "state=running"),
        ("1 finished", "state=finished"),
    ]


def test_the_job_table_has_the_worst_first_with_all_there_is_to_a_job(stage):
    soup = get(stage, "/").soup
    cells = [words(cell) for cell in soup.select_one(f"#job-{job_id('hcalgpu')}").select("th, td")]
    assert cells == ["crashed SIGSEGV", "hcalgpu", "466", "511.6 k", "34.4", "1,735", "fu..04", "15:59:00", "log"]
    assert rows(soup)[:6] == ["beampixel", "hcalgpu", "pixel", "ecalgpu", "tracking", "dt"]
    assert len(rows(soup)) == len(CLIENTS) + 1
    events = soup.select_one(f"#job-{job_id('hcalgpu')} .c-events")
    assert re.fullmatch(r"511,[0-9]{3}", events["title"])


def test_growing_memory_is_marked_in_words_too(stage):
    cell = get(stage, "/").soup.select_one(f"#job-{job_id('visualization-live')} .c-memory")
    assert (cell["class"], cell["title"]) == (["c-memory", "num", "grows"], "grows by 214 MB/h")
    assert words(cell).endswith("growing")


def test_the_strip_of_a_row_tells_what_was_skipped_and_missing(stage):
    bar = get(stage, "/").soup.select_one(f"#job-{PIXEL} .lumi-bar")
    assert [(part["class"][0], words(part)) for part in bar.select("[class^=g-]")] == [
        ("g-warn", "97–98: skipped: timeout"),
        ("g-bad", "213: error: data file missing"),
    ]


def test_the_cluster_card_tells_up_from_down_from_unknown(stage):
    hosts = [words(host) for host in get(stage, "/").soup.select(".host")]
    assert hosts == [
        "bu..01 up 11:55:00 memory 41 % ramdisk 70 %",
        "fu..01 up 11:55:00 memory 41 %",
        "fu..02 up 11:55:00 memory 96 %",
        "fu..03 down 16:43:00 backing off connection refused memory 41 %",
        "fu..04 unknown · never told filling · 12.4 k to go memory 41 %",
    ]
    ramdisk = get(stage, "/").soup.select(".gauge")[1]
    assert ramdisk["title"] == "ramdisk: 180 GB of 256 GB, marked at 60 % and 80 %"


def test_a_playback_says_what_it_repeats(stage):
    assert (
        words(get(stage, "/?db=playback").soup.select_one("#playback"))
        == "Replay of run 256936, lumisection 37 of 1500"
    )


def test_filters_hide_rows_and_links_keep_them(stage):
    soup = get(stage, f"/?run={RUN}&q=PIX&state=crashed&sort=-events").soup
    assert rows(soup) == ["beampixel"]
    assert soup.select_one("#filter")["value"] == "PIX"
    assert soup.select_one("#tile-crashed")["aria-current"] == "true"
    assert soup.select_one("#tile-crashed")["href"] == f"{PREFIX}/?run={RUN}&db=production&sort=-events&q=PIX"
    assert (
        soup.select_one("a[rel=prev]")["href"]
        == f"{PREFIX}/?run={RUN - 1}&db=production&sort=-events&state=crashed&q=PIX"
    )
    assert soup.select_one("th[aria-sort]").get_text() == "events"
    assert [(one["name"], one["value"]) for one in soup.select("#finders [type=hidden]")] == [
        ("db", "production"),
        ("sort", "-events"),
        ("state", "crashed"),
    ]


def test_the_partial_is_the_very_part_of_the_page(stage):
    page, partial = get(stage, "/?sort=host"), get(stage, "/live/partial?db=production&sort=host")
    assert partial.text in page.text
    assert partial.text.startswith('<div id="live"')
    assert partial.text.endswith("</div>")
    assert partial.soup.div["data-after"] == "dbproduction-1"
    assert partial.soup.div["hx-get"] == f"{PREFIX}/live/partial?db=production&sort=host"


def test_a_partial_that_names_an_event_has_seen_it(stage):
    get(stage, "/live/partial")
    stage.production.changes.append(replace(stage.production.changes[-1], change_id=2))
    assert get(stage, "/live/partial").soup.div["data-after"] == "dbproduction-1"
    assert get(stage, "/live/partial?after=dbproduction-2").soup.div["data-after"] == "dbproduction-2"


def test_a_partial_says_nothing_that_changes_by_the_clock_alone(stage, monkeypatch):
    before = get(stage, "/live/partial").text
    later = Rehearsal(monkeypatch, lambda: NOW.replace(minute=56))
    later.clusters.update(stage.clusters)
    for name, cluster in stage.clusters.items():
        later.site.clusters[name].database._database = cluster
    assert get(later, "/live/partial").text == before


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/?db=offline", 400, "db must be one of ['production', 'playback']"),
        ("/?run=x", 400, "run must be a whole number from 1 to 9999999"),
        ("/?run=1e3", 400, "run must be a whole number from 1 to 9999999"),
        ("/?run=0", 400, "run must be a whole number from 1 to 9999999"),
        ("/jobs/aaaaaaaaaaaaaaaa", 404, "There is no such job."),
        ("/jobs/..%2f..%2fetc", 404, "There is no such"),
        ("/jobs/AAAAAAAAAAAAAAAA/log", 404, "There is no such job."),
        ("/jobs/aaaaaaaaaaaaaaaa/log.txt", 404, "There is no log of that job."),
        ("/runs/5/delivery.json", 404, "There are no files of run 5."),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(stage, path, status, text):
    answer = get(stage, path)
    assert (answer.status, text in answer.soup.get_text()) == (status, True)


@pytest.mark.parametrize("query", ["sort=nothing", "state=nothing", "palette=nothing", "kiosk=2", "run=", "q="])
def test_what_is_not_known_counts_as_not_said(stage, query):
    assert rows(get(stage, f"/?{query}").soup) == rows(get(stage, "/").soup)


def test_a_cluster_without_runs_and_a_run_that_is_not_there_say_so(stage):
    stage.playback.runs.clear()
    assert words(get(stage, "/?db=playback").soup.select_one("#no-run h2")) == "No run yet"
    missing = get(stage, "/?run=5").soup
    assert words(missing.select_one("#no-run")) == f"There is no run 5 The newest one is {RUN} ."
    assert missing.select_one("a[rel=next]")["href"] == f"{PREFIX}/?run={RUN - 3}&db=production"


def test_a_job_is_found_in_the_other_cluster(stage):
    beam = job_id("beam", 500015)
    soup = get(stage, f"/jobs/{beam}").soup
    assert words(soup.select_one("#crumbs")) == "Playback Run 500015 beam"
    assert soup.body["data-cluster"] == "playback"


def test_a_jobs_page_has_facts_attempts_history_lumisections_and_graphs(stage):
    stage.production.put_job(
        replace(stage.production.jobs[RUN][0], job_id="z" * 16, tag="pixel_dqm_sourceclient-live", exit_code=-9)
    )
    soup = get(stage, f"/jobs/{PIXEL}").soup
    assert words(soup.select_one(".verdict")) == "failed · exit 86 · likely FatalRootError"
    assert words(soup.select_one(".attempts")).startswith("attempt ")
    assert [words(past) for past in soup.select(".past a")][3] == f"failed in run {RUN - 7}"
    facts = dict(
        words(fact).split(" ", 1)
        for fact in soup.select("#job-facts > div")
        if fact.dt.string in {"host", "input", "threads"}
    )
    assert facts == {"host": "fu..02", "input": "open", "threads": "12"}
    assert words(soup.select_one("#lumis-title")).startswith("Lumisections 449 read · 1 error: data file missing (213)")
    assert [section["id"] for section in soup.select("#graphs > section")] == [
        "graph-memory",
        "graph-rate",
        "graph-events",
        "graph-seconds",
    ]
    assert len(soup.select("#graph-rate tbody tr")) == len(
        re.findall("[ML]", soup.select_one("#graph-rate .trace")["d"])
    )


def test_a_job_that_reads_another_run_is_flagged(stage):
    job = next(job for job in stage.production.jobs[RUN] if job.job_id == PIXEL)
    stage.production.put_job(replace(job, cmssw_run=RUN - 1, flags=("odd_clock",)))
    flags = get(stage, f"/jobs/{PIXEL}").soup.select(".flag")
    assert [words(flag) for flag in flags] == [f"the data are of run {RUN - 1}", "odd clock"]


def test_a_log_has_numbers_errors_marks_and_its_gap(stage):
    soup = get(stage, f"/jobs/{PIXEL}/log").soup
    lines = soup.select("#log li[id^=L]")
    assert len(lines) == 260
    assert words(lines[0]).startswith("1 -- starting process: ['cmsRun', ' [path] /pixel")
    assert [words(mark) for mark in lines[0].select("mark")] == ["[path]", "[removed]"]
    gap = soup.select_one("#log-gap")
    assert words(gap) == "DQM² kept the first 16 KB and the last 16 KB; what was between is not kept."
    assert (gap.find_previous_sibling("li")["id"], gap.find_next_sibling("li")["id"]) == ("L124", "L125")
    assert [line["id"] for line in soup.select(".k-error, .k-exit-bad")] == ["L245", "L248", "L251", "L254", "L260"]
    assert soup.select_one("[data-log-first]")["href"] == "#L245"
    assert words(soup.select_one(".log-end")) == "2 values removed Raw text"


def test_errors_only_is_a_link_without_scripts(stage):
    soup = get(stage, f"/jobs/{PIXEL}/log?errors=1").soup
    assert soup.select_one("#log").has_attr("data-errors")
    assert soup.select_one("[data-log-errors]")["href"] == f"{PREFIX}/jobs/{PIXEL}/log?db=production#log-card"


def test_security_d4_the_raw_log_is_plain_text_that_no_browser_takes_for_anything_else(stage):
    answer = get(stage, f"/jobs/{PIXEL}/log.txt")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script>alert(1)</script>" in answer.text


def test_a_job_without_a_log_says_so(stage):
    stage.production.logs.clear()
    assert words(get(stage, f"/jobs/{PIXEL}/log").soup.select_one(".empty-log")) == "The mirror has no log of this job."


def test_the_plots_get_their_numbers_and_people_a_table_of_them(stage):
    data = orjson.loads(get(stage, f"/runs/{RUN}/delivery.json").text)
    assert (data["run"], len(data["lumis"]), [stream["label"] for stream in data["streams"]]) == (
        RUN,
        465,
        list(STREAMS),
    )
    soup = get(stage, f"/runs/{RUN}/delivery?time=ctime").soup
    assert len(soup.select("tbody tr")) == 465
    assert "got its name (ctime)" in words(soup.select_one(".note-line"))
    assert "No BU has told" in words(get(stage, "/runs/5/delivery").soup.main)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_security_e1_a_page_keeps_to_the_content_security_policy_and_to_this_machine(stage, path):
    soup = get(stage, path).soup
    assert soup.select("[style], style, script:not([src]), base, object, iframe") == []
    handlers = [name for element in soup.find_all(True) for name in element.attrs if name.startswith(("on", "hx-on"))]
    assert handlers == []
    loaded = [*(one["src"] for one in soup.select("[src]")), *(one["href"] for one in soup.select("link"))]
    assert [address for address in loaded if not address.startswith(f"{PREFIX}/static/")] == []
    outside = [link for link in soup.select("a[href^=http]") if "noreferrer" not in link.get("rel", [])]
    assert outside == []


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_ids_are_unique_and_what_refers_to_them_finds_them(stage, path):
    soup = get(stage, path).soup
    ids = [element["id"] for element in soup.select("[id]")]
    assert sorted(ids) == sorted(set(ids))
    named = {name for element in soup.select("[aria-labelledby]") for name in element["aria-labelledby"].split()}
    named |= {label["for"] for label in soup.select("label[for]")} | {one["list"] for one in soup.select("[list]")}
    named |= {use["href"][1:] for use in soup.select("use")} if soup.select_one(".sprite") else set()
    assert named - set(ids) == set()


@pytest.mark.parametrize("path", [path for path in PATHS.values() if not path.endswith(("/row", "/card"))])
def test_links_of_a_page_lead_to_pages(stage, path):
    hrefs = {link["href"] for link in get(stage, path).soup.select(f'a[href^="{PREFIX}"]')}
    # Of many jobs one, and one of many cells, which lead to a job.
    chosen = {re.sub("/[a-z2-7]{16}|/[^/?]+-live(?=[?])", "", href): href for href in hrefs}.values()
    statuses = {href: get(stage, href.removeprefix(PREFIX).partition("#")[0]).status for href in chosen}
    is_cell = re.compile(rf"{PREFIX}/timeline/[0-9]+/")
    assert {href: at for href, at in statuses.items() if at != (303 if is_cell.match(href) else 200)} == {}


def test_security_d3_nothing_from_a_document_becomes_markup(stage):
    job = next(job for job in stage.production.jobs[RUN] if job.job_id == PIXEL)
    hostile = dict.fromkeys(("host_label", "run_key", "release", "config_name", "process_state"), HOSTILE)
    stage.production.put_job(replace(job, tag=HOSTILE, flags=(HOSTILE,), **hostile))
    stage.production.logs[PIXEL] = replace(a_log(job), head=HOSTILE * 3, tail=HOSTILE)
    stage.production.hosts = [replace(host, label=HOSTILE, message=HOSTILE) for host in stage.production.hosts]
    stage.production.runs[RUN] = replace(stage.production.runs[RUN], run_key=HOSTILE, release=HOSTILE)
    stage.production.expected = [HOSTILE]
    for path in PATHS.values():
        soup = get(stage, path.replace("q=pix", "q=%22%3E%3Cscript%3E")).soup
        assert soup.select("script:not([src]), img, [onerror]") == []
    assert HOSTILE in get(stage, f"/jobs/{PIXEL}").soup.select_one("h1").get_text()


def test_every_module_is_small_and_every_file_that_pages_name_is_there():
    lengths = {path.name: len(path.read_text().splitlines()) for path in (PROJECT / "static" / "js").rglob("*.js")}
    assert {name: length for name, length in lengths.items() if length >= 100} == {}
    for path in (PROJECT / "static" / "js").rglob("*.js"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", source)
        for name in re.findall(r'(?:from|import) "\./([\w-]+\.js)"', source):
            assert name in lengths


def test_no_template_marks_anything_safe():
    for path in (PROJECT / "templates").glob("*.html"):
        assert not re.search(r"\|\s*safe|autoescape|Markup", path.read_text(encoding="utf-8"))
