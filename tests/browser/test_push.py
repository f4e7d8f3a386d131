from dataclasses import replace

import pytest
from playwright.sync_api import expect

from tests.browser.cast import RUN, a_job, a_run, job_id

HIDDEN = """
let isHidden = false;
Object.defineProperty(Document.prototype, "hidden", { get: () => isHidden });
window.hideTab = (value) => {
  isHidden = value;
  document.dispatchEvent(new Event("visibilitychange"));
};
"""
COUNT_CHANGES = """
window.changed = [];
const own = new Set(["data-after", "class"]);
new MutationObserver((records) => {
  for (const { type, target, attributeName } of records) {
    if ((target.closest ? target : target.parentElement)?.closest("time, [data-host-age]") || own.has(attributeName)) continue;
    window.changed.push([type, target.id || target.className || target.nodeName, attributeName].join(" "));
  }
}).observe(document.getElementById("live"), { subtree: true, childList: true, attributes: true, characterData: true });
"""


def job_of(stage, client):
    return next(job for job in stage.production.jobs[RUN] if job.job_id == job_id(client))


def state_of(page, client):
    return page.locator(f"#job-{job_id(client)} .state-word")


def connected(page):
    """A stream tells how old the data are; until then changes may be told to nobody."""
    expect(page.locator("[data-pill]")).to_have_attribute("data-mood", "live", timeout=12_000)


def test_a_crash_appears_by_itself_and_moves_to_the_top(stage, open_page):
    page = open_page("/")
    connected(page)
    expect(state_of(page, "csc")).to_have_text("running")
    stage.update(job_of(stage, "csc"), exit_code=-11)
    expect(state_of(page, "csc")).to_have_text("crashed")
    expect(page.locator("#tile-crashed b")).to_have_text("3")
    assert page.title() == f"(3 crashed) Run {RUN}"
    clients = page.locator("[data-row]").evaluate_all("rows => rows.slice(0, 3).map(row => row.dataset.client)")
    assert clients == ["beampixel", "csc", "hcalgpu"]


def test_focus_selection_open_rows_and_scroll_survive_an_update(stage, open_page):
    page = open_page("/", viewport={"width": 1500, "height": 600})
    connected(page)
    opener = page.locator(f"[data-opens=detail-{job_id('ecal')}]")
    opener.click()
    page.wait_for_selector(f"#row-of-{job_id('ecal')} .tail")
    page.locator("[data-filter]").focus()
    page.keyboard.type("e")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
    page.evaluate("scrollTo(0, 200)")
    page.evaluate("window.heading = document.querySelector('h1')")
    stage.update(job_of(stage, "ecal"), n_events=999_000)
    expect(page.locator(f"#job-{job_id('ecal')} .c-events")).to_have_text("999.0 k")
    assert opener.get_attribute("aria-expanded") == "true"
    assert page.locator(f"#row-of-{job_id('ecal')}").is_visible()
    assert page.evaluate("[document.activeElement.id, document.activeElement.value]") == ["filter", "e"]
    assert page.evaluate("getSelection().toString()") == f"Run {RUN}"
    assert page.evaluate("scrollY") == 200
    assert page.evaluate("window.heading === document.querySelector('h1')")
    assert page.locator("[data-row]:not([hidden])").count() == page.locator("[data-row][data-client*=e]").count()


def test_an_update_touches_only_what_changed(stage, open_page):
    page = open_page("/")
    connected(page)
    page.evaluate(COUNT_CHANGES)
    with page.expect_response("**/live/partial**"):
        stage.update(job_of(stage, "ecal"), n_events=999_000)
    expect(page.locator(f"#job-{job_id('ecal')} .c-events")).to_have_text("999.0 k")
    touched = set(page.evaluate("window.changed"))
    assert touched == {"attributes c-events num title", "characterData #text "}


def test_what_is_there_already_is_not_sent_again(stage, open_page):
    page = open_page("/")
    connected(page)
    with page.expect_response("**/live/partial**") as first:
        stage.change(RUN)
    page.evaluate(COUNT_CHANGES)
    expect(page.locator("#live")).to_have_attribute("data-after", "dbproduction-2")
    with page.expect_response("**/live/partial**") as again:
        page.evaluate("document.dispatchEvent(new CustomEvent('mirror:reload'))")
    assert (first.value.status, again.value.status) == (200, 304)
    assert page.evaluate("window.changed") == []


def test_a_hidden_tab_fetches_nothing_tells_by_its_title_and_fetches_once_when_seen(stage, open_page):
    page = open_page("/", before=lambda page: page.add_init_script(HIDDEN))
    connected(page)
    fetched = []

    def note(request):
        if "/partial" in request.url:
            fetched.append(request.url)

    page.on("request", note)
    page.evaluate("hideTab(true)")
    stage.update(job_of(stage, "csc"), exit_code=-11)
    expect(page).to_have_title(f"(3 crashed) Run {RUN}")
    stage.update(job_of(stage, "ecal"), exit_code=-11)
    expect(page).to_have_title(f"(4 crashed) Run {RUN}")
    assert fetched == []
    page.evaluate("hideTab(false)")
    expect(state_of(page, "ecal")).to_have_text("crashed")
    page.wait_for_timeout(500)
    assert len(fetched) == 1


def test_a_page_that_follows_shows_a_new_run_and_one_that_does_not_gets_its_link(stage, open_page):
    following, staying = open_page("/"), open_page(f"/?run={RUN}")
    for page in (following, staying):
        connected(page)
    now = stage.clock()
    stage.production.runs[RUN + 1] = a_run(now, RUN + 1, streams=())
    stage.production.jobs[RUN + 1] = [a_job("beam", now, run=RUN + 1)]
    stage.change(RUN + 1)
    expect(following.locator("h1")).to_have_text(f"Run {RUN + 1}")
    expect(staying.locator("h1")).to_have_text(f"Run {RUN}")
    expect(staying.locator("#next-run")).to_have_attribute("href", f"/dqm/dqm-square/?run={RUN + 1}&db=production")
    expect(state_of(staying, "ecalgpu")).to_have_text("lost")


def test_two_tabs_share_one_stream(stage, open_page):
    page = open_page("/")
    other = page.context.new_page()
    other.goto(stage.url + "/?run=398218")
    for tab in (page, other):
        connected(tab)
    assert stage.places.n_open == 1
    other.goto(stage.url + "/?db=playback")
    connected(other)
    assert stage.places.n_open == 2


def test_a_change_between_the_page_and_its_stream_is_not_lost(stage, open_page):
    def change_before_the_scripts_run(page):
        def answer(route):
            response = route.fetch()
            stage.update(job_of(stage, "csc"), exit_code=-11)
            route.fulfill(response=response)

        page.route("**/dqm-square/", answer)

    page = open_page("/", before=change_before_the_scripts_run)
    expect(state_of(page, "csc")).to_have_text("crashed", timeout=10_000)


def test_without_a_stream_the_page_asks_by_itself(stage, open_page):
    stage.places._places = 0
    page = open_page("/", expects_complaints=True)
    expect(page.locator("[data-pill]")).to_have_text("asking every 5 s", timeout=10_000)
    stage.production.put_job(replace(job_of(stage, "csc"), exit_code=-11))
    stage.change(RUN)
    expect(state_of(page, "csc")).to_have_text("crashed", timeout=10_000)


def test_a_page_that_hears_nothing_says_so_across_the_top_and_stops_looking_alive(stage, open_page):
    page = open_page("/", expects_complaints=True, before=lambda page: page.clock.install())
    connected(page)
    page.route("**/*partial*", lambda route: route.abort())
    for cluster in stage.site.clusters.values():
        cluster.hub.stop()
    # The last beat has come, late as it may be, before the silence begins.
    expect(page.locator("[data-pill]")).to_have_attribute("data-mood", "warn")
    page.clock.fast_forward(17_000)
    expect(page.locator("[data-pill]")).to_have_attribute("data-mood", "lost")
    expect(page.locator("[data-banner]")).to_contain_text("Nothing has come from the mirror since")
    assert page.evaluate("document.documentElement.hasAttribute('data-stale')")
    assert page.locator("[data-favicon]").get_attribute("href").startswith("/dqm/dqm-square/static/icons/stale.svg")


def test_a_database_that_is_gone_is_told_and_the_last_copy_stays(stage, open_page):
    page = open_page("/", expects_complaints=True)
    connected(page)
    stage.production.is_gone = True
    stage.change(RUN)
    expect(page.locator("[data-banner]")).to_contain_text("Database unavailable since", timeout=10_000)
    assert page.locator("[data-row]").count() == 32
    again = page.context.new_page()
    again.goto(stage.url + "/")
    expect(again.locator(".database-unavailable")).to_contain_text("Database unavailable since")


@pytest.mark.parametrize("age", [720.0, None])
def test_a_host_that_is_silent_is_named(stage, open_page, age):
    host_id = stage.production.hosts[2].host_id
    stage.production.poll_ages[host_id] = age
    page = open_page("/")
    words = "fu..02 silent for 12 min" if age else "fu..02 was never heard"
    expect(page.locator("[data-pill-text]")).to_have_text(words, timeout=12_000)
    expect(page.locator(f"#host-{host_id} [data-host-age]")).to_have_attribute("data-ui-late", "")
