"""The statistics' page, and its tables as CSV, JSON and PNG."""

import csv
import gc
import io
import json
import struct

import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure

from dqmsquare.statistics import DARK, LIGHT, TABLES, Numbers, Painter, read_numbers
from dqmsquare.storage.statistics_selection import select_runs
from tests.integration.server_process import ServerProcess, running_server
from tests.known_runs import store_known_runs
from tests.postgres import TestPlace, copied_databases


@pytest.fixture(scope="module")
def filled(postgres_18, templates_18, tmp_path_factory):
    with copied_databases(postgres_18, templates_18, tmp_path_factory.mktemp("statistics")) as place:
        store_known_runs(place)
        yield place


@pytest.fixture(scope="module")
def server(filled: TestPlace, tmp_path_factory):
    with running_server(filled, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def numbers(filled: TestPlace) -> dict[str, Numbers]:
    with filled.reader().reading() as connection:
        selection = select_runs(connection, stuck_after_seconds=900)
        assert selection is not None
        return {one.table.name: one for one in read_numbers(connection, list(TABLES.values()), selection)}


@pytest.fixture(scope="module")
def painter(tmp_path_factory) -> Painter:
    return Painter(tmp_path_factory.mktemp("matplotlib"))


def size_of(picture: bytes) -> tuple[int, int]:
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", picture[16:24])


def test_the_page_shows_the_numbers_their_pictures_and_what_the_words_mean(server: ServerProcess):
    status, headers, body = server.get("/statistics/?from=100&to=102")
    page = BeautifulSoup(body, "html.parser")
    assert (status, headers["cache-control"]) == (200, "no-cache")
    assert page.select(".stats-scope")[0].get_text() == "3 runs, 100 to 102"
    found = [[cell.get_text() for cell in row.select("th, td")] for row in page.select("#clients tr")]
    assert found == [
        ["client", "crashed", "failed", "stuck", "files gone", "finished", "stopped", "no end heard", "jobs"],
        ["dt", "1", "0", "1", "0", "0", "1", "0", "3"],
        ["beam", "0", "1", "0", "1", "2", "0", "0", "4"],
        ["ecal", "0", "0", "1", "1", "0", "0", "1", "3"],
    ]
    assert [card["id"] for card in page.select(".stats-card")] == list(TABLES)
    words = {word.get_text() for word in page.select("#clients dt")}
    assert words == {"crashed", "failed", "stuck", "files gone", "no end heard"}
    assert "cannot get data file" in page.select("#clients dl")[0].get_text()
    sources = [image["src"] for image in page.select("#clients img")]
    about = "/dqm/dqm-square/statistics/clients.png?db=production&from=100&to=102&theme="
    assert sources == [about + "light", about + "dark"]


def test_every_table_is_a_csv_a_json_and_a_picture(server: ServerProcess):
    for name, table in TABLES.items():
        status, headers, body = server.get(f"/statistics/{name}.csv")
        lines = list(csv.reader(io.StringIO(body.decode())))
        assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert headers["content-disposition"] == f'attachment; filename="{name}.csv"'
        answer = json.loads(server.get(f"/statistics/{name}.json")[2])
        names = [column.name for column in table.columns]
        assert lines[0] == names == [column["name"] for column in answer["columns"]]
        assert len(lines) - 1 == len(answer["rows"]) > 0
        assert all(list(row) == names for row in answer["rows"])
        status, headers, picture = server.get(f"/statistics/{name}.png?theme=dark")
        assert (status, headers["content-type"]) == (200, "image/png")
        assert size_of(picture)[0] in {1360, 2260}, name


def test_numbers_for_programs_are_exact(server: ServerProcess):
    answer = json.loads(server.get("/statistics/runs.json?last=1&run_key=cosmic_run")[2])
    asked = {name: answer[name] for name in ("table", "cluster", "first_run", "last_run", "run_key", "n_runs")}
    assert asked == {
        "table": "runs", "cluster": "production", "first_run": 101, "last_run": 101, "run_key": "cosmic_run",
        "n_runs": 1,
    }  # fmt: skip
    assert answer["rows"] == [
        {
            "run": 101, "run_key": "cosmic_run", "release": "15_0_5", "started_at": "2026-05-01T12:20:00Z",
            "start_estimated": True, "stopped_at": "2026-05-01T12:40:00Z", "mean_delay_seconds": None,
            "sigma_delay_seconds": None, "last_lumi": 10, "n_events": None, "n_bytes": None, "n_jobs": 3,
            "n_crashed": 0, "n_failed": 0, "n_stuck": 1, "n_input_gone": 1,
        }
    ]  # fmt: skip
    newest = json.loads(server.get("/statistics/runs.json?last=1")[2])
    assert (newest["first_run"], newest["n_runs"], len(newest["rows"])) == (102, 1, 1)
    [head, line] = server.get("/statistics/runs.csv?last=1&run_key=cosmic_run")[2].decode().splitlines()
    assert head.startswith("run,run_key,release,started_at,start_estimated,stopped_at,")
    assert line == "101,cosmic_run,15_0_5,2026-05-01T12:20:00Z,1,2026-05-01T12:40:00Z,,,10,,,3,0,0,1,1"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("?from=5&to=7", 200, "There are no such runs"),
        ("?db=playback", 200, "There are no such runs"),
        ("clients.csv?from=5&to=7", 404, "There are no such runs."),
        ("nothing.png", 404, "There is no such table"),
        ("clients.png?theme=pink", 400, "theme must be one of"),
        ("?last=20001", 400, "last must be a whole number from 1 to 20000"),
        ("?from=x", 400, "from must be a whole number"),
    ],
)
def test_what_cannot_be_shown_is_said(server: ServerProcess, path, status, words):
    answer = server.get(f"/statistics/{path}")
    assert answer[0] == status
    assert words in answer[2].decode()


def test_equal_numbers_give_equal_pictures_of_each_theme(numbers, painter: Painter):
    light, dark = (painter.draw(numbers["rates"], theme) for theme in (LIGHT, DARK))
    assert painter.draw(numbers["rates"], LIGHT) == light != dark
    assert b"matplotlib" not in light.lower()


def test_no_figure_is_left_when_its_picture_is_drawn(numbers, painter: Painter):
    gc.disable()  # the server looks for circles of objects seldom
    try:
        painter.draw(numbers["clients"])
        assert [thing for thing in gc.get_objects() if type(thing) is Figure] == []
    finally:
        gc.enable()


def test_every_picture_can_be_drawn_of_nothing_and_of_very_much(numbers, painter: Painter):
    for name, found in numbers.items():
        picture = painter.draw(Numbers(found.table, found.selection, ()))
        assert size_of(picture)[1] > 0, name
    many = [
        record | {"client": f"a-client-with-a-very-long-name-of-more-than-forty-letters-{n}", "n_crashed": n}
        for n in range(200)
        for record in numbers["clients"].records[:1]
    ]
    assert size_of(painter.draw(Numbers(TABLES["clients"], numbers["clients"].selection, tuple(many))))[1] < 2000


def test_a_spreadsheet_takes_nothing_for_a_formula(numbers):
    from dqmsquare.statistics import as_csv

    found = numbers["run-keys"]
    evil = tuple(record | {"run_key": "=1+1"} for record in found.records)
    assert b"\n'=1+1," in as_csv(Numbers(found.table, found.selection, evil))
