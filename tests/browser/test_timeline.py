import re

import pytest
from playwright.sync_api import expect

from dqmsquare.storage.rows import Change
from tests.browser.cast import CLIENTS, RUN, a_job, a_run, fill_history, job_id, tag_of
from tests.browser.rehearsal import now
from tests.browser.test_accessibility import violations
from tests.browser.test_push import connected

OLD = RUN - 8  # a run in which pixel crashed and was started again


@pytest.fixture
def stage(stage):
    fill_history(stage, 150)
    return stage


def shown(page):
    return page.locator("[data-run]").evaluate_all("rows => rows.map(row => Number(row.dataset.run))")


def cell(page, client, run=RUN):
    return page.locator(f"#run-{run} [data-c='{client}']")


def focused(page):
    return page.evaluate(
        "document.activeElement.closest('tr').id + ' ' + (document.activeElement.parentElement.dataset.c ?? '')"
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_what_opens_in_the_timeline(open_page, theme):
    page = open_page("/timeline/?last=9&pin=lost", color_scheme=theme)
    page.locator("#timeline-range").evaluate("range => range.open = true")
    page.locator("#timeline-key").evaluate("keys => keys.open = true")
    cell(page, "pixel", OLD).locator("a").hover()
    expect(page.locator("[data-card]")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("query", ["", "?pin=failed", "?run_key=nothing"])
def test_320_pixels_are_enough_for_the_timeline(open_page, query):
    page = open_page(f"/timeline/{query}", viewport={"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_the_worst_state_colours_a_cell_and_the_card_tells_all_attempts(open_page):
    page = open_page("/timeline/")
    one = cell(page, "pixel", OLD)
    assert re.match(r"crashed, 2 attempts, [\d.]+k events", one.locator("a").get_attribute("aria-label"))
    assert "s-crashed" in one.get_attribute("class")
    one.locator("a").hover()
    card = page.locator("[data-card]")
    expect(card.locator(".attempts-list li")).to_have_count(2)
    expect(card).to_contain_text("SIGSEGV")
    expect(card).to_contain_text("2 attempts; the worst colours the cell")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    one.locator("a").click()
    page.wait_for_url(f"**/jobs/{job_id('again', OLD)}**")


def test_a_card_is_fetched_once_until_its_run_changes(stage, open_page):
    page = open_page("/timeline/")
    connected(page)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/card" in request.url else None)
    card = page.locator("[data-card]")
    for client in ("beam", "csc", "beam", "csc"):
        cell(page, client).locator("a").hover()
        expect(card).to_contain_text(f"{client} in run {RUN}")
        expect(card).to_be_visible()
    assert len(asked) == 2
    stage.update(next(job for job in stage.production.jobs[RUN] if job.tag == tag_of("beam")), exit_code=-11)
    expect(cell(page, "beam")).to_have_class("s-crashed")
    cell(page, "beam").locator("a").hover()
    expect(card).to_contain_text("SIGSEGV")


def test_arrow_keys_walk_through_the_cells_and_enter_opens_the_job(open_page):
    page = open_page("/timeline/")
    assert page.locator("[data-timeline] tbody [tabindex='0']").count() == 1
    page.locator(".legend .chip").last.focus()
    page.keyboard.press("Tab")
    assert focused(page) == f"run-{RUN} "
    for key in [
        "ArrowDown",
        *["ArrowRight"] * 4,
        "ArrowDown",
        "ArrowUp",
        "ArrowLeft",
        "End",
        "Home",
        *["ArrowRight"] * 4,
    ]:
        page.keyboard.press(key)
    assert focused(page) == f"run-{RUN - 1} beam"
    expect(page.locator("[data-card]")).to_contain_text(f"beam in run {RUN - 1}")
    assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == "timeline-card"
    assert page.locator("[data-timeline] tbody [tabindex='0']").count() == 1
    page.keyboard.press("Control+End")
    assert focused(page).startswith(f"run-{RUN - 49}")
    page.keyboard.press("Control+Home")
    for key in ["ArrowRight"] * 4:
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{job_id('beam')}**")


def test_older_runs_come_as_one_scrolls_and_none_is_left_out_when_new_ones_begin(stage, open_page):
    page = open_page("/timeline/")
    connected(page)
    assert shown(page) == list(range(RUN, RUN - 50, -1))
    begin_run(stage, RUN + 1)
    expect(page.locator(f"#run-{RUN + 1}")).to_be_visible()
    page.locator("#timeline-more").scroll_into_view_if_needed()
    expect(page.locator("[data-run]")).to_have_count(101)
    assert shown(page) == list(range(RUN + 1, RUN - 100, -1))
    assert page.locator("#legend-running b").inner_text() == str(page.locator("td.s-running").count())


def begin_run(stage, run, *, client="beam", and_changed=()):
    production = stage.production
    production.runs[run] = a_run(now(), run, streams=(), n_jobs=1, n_open=1, n_crashed=0, n_failed=0)
    production.jobs[run] = [a_job(client, now(), run=run)]
    news = [Change(production.changes[-1].change_id + n, "run", one) for n, one in enumerate((run, *and_changed), 1)]
    production.changes += news
    stage.site.clusters["production"].hub.on_changes(news)


def test_clients_that_were_never_there_get_columns_of_their_own(stage, open_page):
    page = open_page("/timeline/?last=20")
    connected(page)
    held = []
    page.route(re.compile("/timeline/rows"), lambda route: held.append(route))  # noqa: PLW0108  (it must be a function)
    stage.production.put_job(a_job("zdc", now()))
    begin_run(stage, RUN + 1, client="tracker", and_changed=[RUN])
    while len(held) < 2:  # both rows are asked for before either is there
        page.wait_for_timeout(50)
    for route in held:
        route.continue_()
    for client, run in (("tracker", RUN + 1), ("zdc", RUN)):
        expect(cell(page, client, run)).to_be_visible()
        at = cell(page, client, run).evaluate("cell => cell.cellIndex")
        assert page.locator("thead th").nth(at).inner_text() == client
    assert page.locator("[data-tag]").count() == len(CLIENTS) + 3  # with the one that is missing in the newest run
    assert shown(page) == list(range(RUN + 1, RUN - 19, -1))  # still the last 20


def test_only_the_row_that_changed_is_fetched(stage, open_page):
    page = open_page("/timeline/")
    connected(page)
    cell(page, "csc").locator("a").focus()
    page.evaluate("document.querySelector('#run-398219').dataset.seen = 'yes'")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/rows" in request.url else None)
    stage.update(next(job for job in stage.production.jobs[RUN] if job.tag == tag_of("csc")), exit_code=86)
    expect(cell(page, "csc")).to_have_class("s-failed")
    assert len(asked) == 1
    assert f"run={RUN}&" in asked[0]
    assert focused(page) == f"run-{RUN} csc"  # where one was
    assert page.locator("#run-398219").get_attribute("data-seen") == "yes"
    assert page.title() == "(2 crashed) Timeline"


def test_a_pinned_state_stands_out_and_is_in_the_address(open_page):
    page = open_page("/timeline/")
    background = "getComputedStyle(document.querySelector('#run-398220 .s-running')).backgroundColor"
    lively = page.evaluate(background)
    page.locator("#legend-crashed").click()
    expect(page).to_have_url(re.compile(r"/timeline/\?pin=crashed$"))
    expect(page.locator("[data-pin-note]")).to_contain_text("crashed stands out")
    assert page.evaluate(background) != lively
    page.locator(".chips a", has_text="bad only").click()
    expect(page).to_have_url(re.compile(r"pin=crashed&bad_only=1$"))
    expect(page.locator("[data-timeline]")).to_have_attribute("data-pin", "crashed")
    page.locator("#legend-crashed").click()
    expect(page.locator("[data-pin-note]")).to_be_hidden()
    assert page.evaluate(background) == lively


def test_runs_are_chosen_by_number_by_key_and_by_count(open_page):
    page = open_page("/timeline/")
    page.locator("#timeline-range summary").click()
    page.locator("[name=from]").fill(str(RUN - 30))
    page.locator("[name=to]").fill(str(RUN - 11))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/timeline/?db=production&from={RUN - 30}&to={RUN - 11}")
    assert shown(page) == list(range(RUN - 11, RUN - 31, -1))
    page.locator("#timeline-key summary").click()
    page.locator(".key-list a", has_text="pp_run").click()
    page.wait_for_url("**run_key=pp_run")
    assert set(page.locator(".t-key").all_inner_texts()) == {"pp_run"}
    page.goto(page.url.split("?")[0] + "?last=20&ls=1")
    assert len(shown(page)) == 20
    assert "–" not in page.locator(".t-lumi").all_inner_texts()


def test_without_javascript_the_timeline_is_read_page_by_page(stage, open_page):
    page = open_page("/timeline/?db=production", java_script_enabled=False)
    assert shown(page) == list(range(RUN, RUN - 50, -1))
    page.get_by_text("Older runs").click()
    assert shown(page) == list(range(RUN - 50, RUN - 100, -1))
    page.locator("#legend-failed").click()
    assert page.locator("[data-timeline]").get_attribute("data-pin") == "failed"
    page.get_by_text("back to the newest").click()
    assert shown(page)[0] == RUN
    page.locator(f"#run-{OLD} [data-c=pixel] a").click()
    assert f"/jobs/{job_id('again', OLD)}" in page.url


def test_on_paper_the_sheet_lies_down(open_page):
    """Upright it ends in the middle of the clients."""
    sheet = open_page("/timeline/?last=9").pdf(prefer_css_page_size=True)
    [(width, height)] = set(re.findall(rb"/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]", sheet))
    assert float(width) > float(height)
