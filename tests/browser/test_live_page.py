import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from tests.browser.cast import RUN, STREAMS, job_id
from tests.browser.test_push import connected

MOST_BYTES = 160_000  # of a first visit, as they go over the wire


def shown(page):
    return page.locator("[data-row]:not([hidden])").evaluate_all("rows => rows.map(row => row.dataset.client)")


def test_the_filter_answers_at_once_and_stands_in_the_address(open_page):
    page = open_page("/")
    page.keyboard.press("/")
    page.keyboard.type("PIX")
    assert shown(page) == ["beampixel", "pixel", "pixellumi"]
    assert page.url.endswith("/?q=PIX")
    page.reload()
    assert shown(page) == ["beampixel", "pixel", "pixellumi"]
    assert page.locator("[data-filter]").input_value() == "PIX"
    page.locator("[data-filter]").fill("nobody")
    assert page.locator("[data-none-shown]").is_visible()
    page.locator("[data-clear-filter]").click()
    assert len(shown(page)) == 32


def test_a_tile_filters_and_filters_no_more(open_page):
    page = open_page("/?q=p")
    page.locator("#tile-crashed").click()
    assert shown(page) == ["beampixel", "hcalgpu"]
    assert page.url.endswith("/?q=p&state=crashed")
    assert page.locator("#tile-crashed").get_attribute("aria-current") == "true"
    page.locator("#tile-crashed").click()
    assert page.url.endswith("/?q=p")


def test_links_keep_what_was_chosen_since(open_page):
    page = open_page("/")
    page.locator("[data-filter]").fill("hcal")
    page.locator("th a", has_text="events").click()
    page.wait_for_url("**/?q=hcal&sort=-events")
    assert page.locator("th[aria-sort=descending]").inner_text() == "events"
    page.keyboard.press("[")
    page.wait_for_url(f"**/?q=hcal&sort=-events&run={RUN - 1}")
    page.locator("#latest-run").click()
    page.wait_for_url("**/?q=hcal&sort=-events")
    page.locator("[data-menu] summary").click()
    page.locator(".menu-panel a", has_text="Classic").click()
    page.wait_for_url("**/?q=hcal&sort=-events&palette=classic")


def test_a_row_opens_in_place_with_facts_and_the_end_of_its_log(open_page):
    page = open_page("/")
    page.locator(f"[data-opens=detail-{job_id('pixel')}]").click()
    row = page.locator(f"#row-of-{job_id('pixel')}")
    expect(row.locator(".tail")).to_contain_text("-- process exit: 86 --")
    expect(row).to_contain_text("skipped: timeout (97–98)")
    page.locator(f"#job-{job_id('pixel')} .c-events").click()
    expect(row).to_be_hidden()


def test_keys_walk_through_the_rows_and_open_them(open_page):
    page = open_page("/")
    for key in "jjk":
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.textContent") == "beampixel"
    page.keyboard.press("o")
    expect(page.locator(f"#row-of-{job_id('beampixel')}")).to_be_visible()
    page.keyboard.press("l")
    page.wait_for_url(f"**/jobs/{job_id('beampixel')}/log**")


def test_keys_can_be_switched_off(open_page):
    page = open_page("/")
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("[data-menu] summary").click()
    page.locator("[data-setting=shortcuts] label", has_text="Off").click()
    page.reload()
    page.keyboard.press("?")
    page.keyboard.press("j")
    expect(page.locator("dialog")).to_be_hidden()
    assert page.evaluate("document.activeElement === document.body")


def test_a_run_number_is_gone_to(open_page):
    page = open_page("/?q=pixel")
    page.locator("[data-run-box]").fill(str(RUN - 2))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"\?db=production&run={RUN - 2}&q=pixel$"))
    assert shown(page) == ["beampixel", "pixel", "pixellumi"]


def test_the_theme_is_kept_and_there_from_the_first_paint(open_page):
    page = open_page("/", color_scheme="light", expects_complaints=True)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("[data-menu] summary").click()
    page.locator("[data-setting=theme] label", has_text="Dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.route("**/js/app.js*", lambda route: route.abort())
    page.goto(page.url, wait_until="domcontentloaded")
    assert dark != light
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_times_are_shown_in_the_chosen_zone(open_page):
    page = open_page("/", timezone_id="America/Chicago")
    clock = page.locator("[data-clock]").first
    instant = clock.get_attribute("datetime")
    texts = {}
    for zone in ("UTC", "Local", "Geneva"):
        page.locator("[data-menu]").evaluate("menu => menu.open = true")
        page.locator("[data-setting=zone] label", has_text=zone).click()
        texts[zone] = clock.inner_text()
    assert texts["UTC"] == instant[11:19]
    assert len(set(texts.values())) == 3
    assert instant in clock.get_attribute("title")


def test_ages_count_on_by_the_servers_clock(open_page):
    page = open_page("/", before=lambda page: page.clock.install(time="2031-01-01T00:00:00Z"))
    page.locator("#job-" + job_id("csc")).wait_for()
    age = page.locator(f"#job-{job_id('csc')} time")
    page.evaluate("document.dispatchEvent(new CustomEvent('mirror:refresh'))")
    expect(age).to_have_text(re.compile(r"^2\d s$"))
    page.clock.fast_forward(120_000)
    expect(age).to_have_text("2 min")


def test_both_plots_draw_their_streams_and_share_what_is_shown(open_page):
    page = open_page("/")
    expect(page.locator("#delivery-card [data-stream]")).to_have_count(5)
    assert page.locator("#delivery-card [data-stream]").all_inner_texts() == list(STREAMS)
    page.locator("#delivery-card [data-stream=DQM]").click()
    assert page.locator("#events-card [data-stream=DQM]").get_attribute("aria-pressed") == "false"
    box = page.locator("#delivery-chart .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    expect(page.locator("#events-card [data-at]")).to_have_text(re.compile(r"^LS 23\d$"))
    expect(page.locator("#delivery-card [data-stream=DQMHistograms] output")).to_have_text(
        re.compile(r"^\d+(\.\d)? s$")
    )
    before = page.locator("#delivery-card [data-stream=DQMHistograms] output").inner_text()
    page.locator(".segments label", has_text="ctime").click()
    page.mouse.move(box["x"] + box["width"] / 2 + 1, box["y"] + 20)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    expect(page.locator("#delivery-card [data-stream=DQMHistograms] output")).not_to_have_text(before)


def test_a_zoom_is_shared_and_survives_new_files(stage, open_page):
    page = open_page("/")
    expect(page.locator("#delivery-card [data-stream]")).to_have_count(5)
    connected(page)
    box = page.locator("#delivery-chart .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 50, steps=4)
    page.mouse.up()

    def at_the_right_edge(card):
        page.mouse.move(0, 0)
        over = page.locator(f"#{card}-chart .u-over").bounding_box()
        page.mouse.move(over["x"] + over["width"] - 3, over["y"] + 50)
        return page.locator(f"#{card}-card [data-at]").inner_text()

    assert re.fullmatch(r"LS 18\d", at_the_right_edge("delivery"))
    assert re.fullmatch(r"LS 18\d", at_the_right_edge("events"))
    run = stage.production.runs[RUN]
    stage.production.runs[RUN] = replace(run, streams=tuple(replace(one, last_lumi=466) for one in run.streams))
    with page.expect_response("**/delivery.json**"):
        stage.change(RUN)
    page.wait_for_timeout(300)
    assert re.fullmatch(r"LS 18\d", at_the_right_edge("delivery"))
    page.mouse.dblclick(box["x"] + 50, box["y"] + 50)
    assert re.fullmatch(r"LS 46\d", at_the_right_edge("events"))


@pytest.mark.parametrize("path", ["/", f"/jobs/{job_id('pixel')}"])
def test_a_first_visit_is_light(stage, open_page, path):
    sizes = []

    def weigh(page):
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))

    page = open_page(path, before=weigh)
    page.wait_for_timeout(500)
    assert 20_000 < sum(sizes) < MOST_BYTES


def test_without_javascript_everything_is_there_to_read(open_page):
    page = open_page("/?state=crashed", java_script_enabled=False)
    assert page.locator("[data-row]:visible").count() == 2
    assert page.locator("noscript").count() == 1
    page.locator("th a", has_text="memory").click()
    assert page.url.endswith("?db=production&sort=-memory&state=crashed")
    page.locator(f"#job-{job_id('hcalgpu')} th a").click()
    assert page.locator("h1").inner_text() == "hcalgpu"
    assert page.locator("#log li").count() > 200
    page.locator("[data-log-errors]").click()
    assert page.locator("#log li:visible").first.inner_text().startswith("245")
    page.go_back()
    page.go_back()
    page.locator("[data-filter]").fill("hcal")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=hcal")
    assert page.locator("[data-row]:visible").count() == 1


def test_a_wall_shows_the_whole_run_with_nothing_to_click(open_page):
    page = open_page("/?kiosk=1", viewport={"width": 1920, "height": 1080})
    assert page.locator("[data-row]").last.bounding_box()["y"] < 1060
    for gone in (".sections", ".clusters", ".finders", ".opener", "[data-log-link]", "[data-menu]"):
        assert page.locator(gone).first.is_hidden()
    assert page.locator("[data-pill]").is_visible()


def test_paper_gets_the_table_without_what_cannot_be_pressed(open_page):
    page = open_page("/")
    page.emulate_media(media="print")
    assert page.locator("#job-table").is_visible()
    for gone in (".sections", ".finders", ".opener", "[data-menu]"):
        assert page.locator(gone).first.is_hidden()


@pytest.mark.parametrize("width", [1024, 1139, 1140, 1279, 1280, 1366, 1440, 1500])
def test_the_log_links_are_in_sight_however_wide_the_window(stage, open_page, width):
    jobs = [replace(job, host_label="dqmfu-c2b03-..") for job in stage.production.jobs[RUN]]
    stage.production.jobs[RUN] = jobs
    page = open_page("/", viewport={"width": width, "height": 800})
    table = page.locator(".jobs")
    assert table.evaluate("box => box.scrollWidth - box.clientWidth") == 0
