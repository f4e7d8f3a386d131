from dataclasses import replace

import pytest
from playwright.sync_api import expect

from tests.browser.cast import RUN, a_log, job_id
from tests.browser.test_push import connected, job_of

PIXEL = f"/jobs/{job_id('pixel')}"
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "</code></li></ol><iframe src=javascript:alert(1)>",
    "<hx-partial hx-target=body>gone</hx-partial>",
    '<div hx-get="/x" hx-trigger="load">',
    "{{ 7 * 7 }} ${7*7}",
)


def top_of(page, line):
    return page.locator(f"#L{line}").bounding_box()["y"]


def in_view(page, line):
    return 0 < top_of(page, line) < page.viewport_size["height"]


@pytest.mark.parametrize("path", [PIXEL, f"{PIXEL}/log"])
def test_a_permalink_shows_its_lines(open_page, path):
    page = open_page(f"{path}#L30-L34")
    assert in_view(page, 30)
    chosen = page.locator("[data-ui-chosen]").evaluate_all("lines => lines.map(line => line.id)")
    assert chosen == ["L30", "L31", "L32", "L33", "L34"]


def test_a_click_on_a_number_makes_a_permalink_and_shift_a_stretch(open_page):
    page = open_page(f"{PIXEL}/log")
    page.locator("#L12 a").click()
    assert page.url.endswith("#L12")
    page.locator("#L20 a").click(modifiers=["Shift"])
    assert page.url.endswith("#L12-L20")
    assert page.locator("[data-ui-chosen]").count() == 9


def test_a_search_counts_its_hits_and_walks_through_them(open_page):
    page = open_page(f"{PIXEL}/log")
    page.keyboard.press("/")
    page.keyboard.type("toomanyerrors")
    count = page.locator("[data-log-count]")
    expect(count).to_have_text("1 / 3")
    assert page.evaluate("CSS.highlights.get('log-hit').size") == 3
    page.keyboard.press("Enter")
    expect(count).to_have_text("2 / 3")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(count).to_have_text("3 / 3")
    page.keyboard.press("n")
    expect(count).to_have_text("1 / 3")
    page.keyboard.press("N")
    expect(count).to_have_text("3 / 3")
    assert in_view(page, 251)
    page.locator("[data-log-find]").fill("not in it")
    expect(count).to_have_text("no hit")


def test_a_hit_that_a_mark_cuts_in_two_is_found(open_page):
    page = open_page(f"{PIXEL}/log")
    page.locator("[data-log-find]").fill("'[path]/ramdisk")
    expect(page.locator("[data-log-count]")).to_have_text("1 / 1")
    assert page.evaluate("[...CSS.highlights.get('log-hit')][0].toString()") == "'[path]/ramdisk"


def test_errors_only_keeps_messages_exceptions_and_the_exit(open_page):
    page = open_page(f"{PIXEL}/log")
    button = page.locator("[data-log-errors]")
    assert button.inner_text() == "Errors only · 5"
    button.click()
    assert page.url.endswith("?errors=1")
    texts = page.locator("#log li:visible").all_inner_texts()
    assert len(texts) == 16
    assert texts[0].endswith("15-Sep-2022 16:55:00 CEST Run: 398220")
    assert texts[-1].endswith("-- process exit: 86 --")
    page.locator("[data-log-find]").fill("Closed file")
    expect(page.locator("[data-log-count]")).to_have_text("no hit")
    button.click()
    expect(page.locator("[data-log-count]")).to_have_text("1 / 240")


def test_buttons_jump_to_the_first_error_and_to_the_end(open_page):
    page = open_page(f"{PIXEL}/log")
    page.locator("[data-log-last]").click()
    assert in_view(page, 260)
    page.keyboard.press("e")
    assert in_view(page, 245)


def test_wrapping_is_kept(open_page):
    page = open_page(f"{PIXEL}/log", viewport={"width": 390, "height": 700})
    assert page.locator("#log").evaluate("log => log.scrollWidth > log.clientWidth")
    page.locator("[data-log-wrap]").click()
    assert page.locator("#log").evaluate("log => log.scrollWidth <= log.clientWidth")
    page.reload()
    assert page.locator("#log").evaluate("log => log.scrollWidth <= log.clientWidth")


def test_a_log_is_followed_while_its_job_lives(stage, open_page):
    job = job_of(stage, "csc")
    stage.production.logs[job.job_id] = a_log(job, end="")
    page = open_page(f"/jobs/{job.job_id}/log", viewport={"width": 1500, "height": 500})
    connected(page)
    page.locator("[data-log-follow]").click()
    log = stage.production.logs[job.job_id]
    stage.production.logs[job.job_id] = replace(log, tail=log.tail + "one more line\n" * 40)
    stage.change(RUN)
    expect(page.locator("#log li").last).to_contain_text("one more line")
    expect(page.locator("#log li").last).to_be_in_viewport()
    assert page.locator("[data-log-follow]").get_attribute("aria-pressed") == "true"


def test_nothing_in_a_document_becomes_markup(stage, open_page):
    text = "\n".join(HOSTILE) + "\n"
    job = stage.update(
        job_of(stage, "pixel"),
        host_label=HOSTILE[0],
        run_key=HOSTILE[1],
        config_name=HOSTILE[2],
        release=HOSTILE[0],
        flags=(HOSTILE[3],),
        process_state=HOSTILE[4],
        exit_code=None,
    )
    stage.production.put_job(replace(job, job_id="a" * 16, tag=HOSTILE[1]))
    stage.production.logs[job.job_id] = replace(a_log(job), head=text, tail=text)
    stage.production.hosts[3] = replace(stage.production.hosts[3], label=HOSTILE[0], message=HOSTILE[1])
    stage.production.runs[RUN] = replace(stage.production.runs[RUN], run_key=HOSTILE[0], release=HOSTILE[1])
    for path in ("/", "/?q=%3Cscript%3Ealert(1)", PIXEL, f"{PIXEL}/log"):
        page = open_page(path)
        connected(page)
        stage.change(RUN)
        page.wait_for_timeout(300)
        assert page.locator("main img, main script, main iframe, main [onerror], main [hx-trigger=load]").count() == 0
    shown = open_page(f"{PIXEL}/log").locator("#log li[id^=L] > :last-child").all_inner_texts()
    assert shown[: len(HOSTILE)] == list(HOSTILE)


def test_the_chart_tells_the_point_below_the_pointer(open_page):
    page = open_page(PIXEL)
    plot = page.locator("#graph-seconds [data-plot]")
    plot.scroll_into_view_if_needed()
    plot.hover()
    expect(page.locator("#graph-seconds [data-readout]")).to_contain_text("lumisection 2")
    expect(page.locator("#graph-seconds [data-readout]")).to_contain_text("time, s 23")
    page.mouse.move(1, 1)
    expect(page.locator("#graph-seconds [data-readout]")).to_be_empty()
