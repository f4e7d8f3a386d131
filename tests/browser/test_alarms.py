"""The bell, the list of alarms, and what a new one does: told on the page, sounding, in a hidden tab without a fetch."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect

from dqmsquare.storage.alarm_queries import AlarmRow
from tests.browser.cast import RUN, job_id
from tests.browser.test_accessibility import violations
from tests.browser.test_push import HIDDEN, connected

NOTIFICATIONS = """
window.notified = [];
window.Notification = class extends EventTarget {
  static permission = "granted";
  constructor(title, options) { super(); window.notified.push([title, options.body, options.tag]); }
};
document.addEventListener("mirror:rang", () => (window.rang = (window.rang ?? 0) + 1));
"""
KEPT = "for (const name of ['alarm-sound', 'alarm-notify']) localStorage.setItem(`dqmsquare.${name}`, 'on');"


def an_alarm(client: str = "csc", **changed) -> AlarmRow:
    values: dict[str, Any] = {
        "alarm_key": f"production/JobCrashed/{job_id(client)}",
        "rule": "JobCrashed",
        "subject": job_id(client),
        "words": f"{client} crashed in run {RUN} on fu..02: exit -11, SIGSEGV",
        "run": RUN,
        "job_id": job_id(client),
        "host_id": None,
        "raised_at": datetime.now(UTC),
        "resolved_at": None,
    }
    return AlarmRow(**values | changed)


def over(alarm: AlarmRow) -> AlarmRow:
    return replace(alarm, resolved_at=datetime.now(UTC))


def with_signals(page):
    page.context.add_init_script(NOTIFICATIONS + KEPT)


def until(page, expression: str) -> None:
    """Waits from outside: the page's Content-Security-Policy forbids the page to evaluate."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"still not: {expression}")


@pytest.fixture
def bell():
    return "[data-alarms] > summary"


def test_what_stands_already_is_counted_and_listed_but_not_told(stage, open_page, bell):
    stage.alarm(over(an_alarm("ecal")))
    stage.alarm(an_alarm("csc"))
    page = open_page("/", before=with_signals)
    expect(page.locator("[data-alarm-count]")).to_have_text("1")
    page.click(bell)
    expect(page.locator("#alarm-list .alarm")).to_have_count(2)
    expect(page.locator("#alarm-list .alarm-words").first).to_have_attribute(
        "href", f"/dqm/dqm-square/jobs/{job_id('csc')}?db=production"
    )
    expect(page.locator(".told")).to_have_count(0)
    assert page.evaluate("window.notified") == []


def test_a_new_alarm_is_told_counted_and_sounds_and_so_is_its_end(stage, open_page, bell):
    page = open_page("/", before=with_signals)
    connected(page)
    page.click(bell)  # browsers want a click before there may be sound
    stage.alarm(an_alarm())
    told = page.locator("[role=status] .told")
    expect(told).to_contain_text("Job crashed")
    expect(told.locator("a")).to_have_text(f"csc crashed in run {RUN} on fu..02: exit -11, SIGSEGV")
    expect(page.locator("[data-alarm-count]")).to_have_text("1")
    assert page.evaluate("window.notified") == [
        ["Job crashed", an_alarm().words, f"dqmsquare.production/JobCrashed/{job_id('csc')}"]
    ]
    until(page, "window.rang === 1")
    stage.alarm(over(an_alarm()))
    expect(told).to_contain_text("Over: Job crashed")
    expect(page.locator("[data-alarm-count]")).to_be_hidden()
    told.get_by_label("Close").click()
    expect(told).to_have_count(0)
    assert len(page.evaluate("window.notified")) == 1


def test_a_hidden_tab_notifies_without_fetching_and_catches_up_when_it_is_looked_at(stage, open_page, bell):
    page = open_page("/", before=lambda page: (with_signals(page), page.add_init_script(HIDDEN)))
    connected(page)
    page.click(bell)
    page.evaluate("hideTab(true)")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    stage.alarm(an_alarm())
    until(page, "window.notified.length === 1")
    page.wait_for_timeout(400)
    assert [url for url in asked if "/partial" in url] == []
    page.evaluate("hideTab(false)")
    expect(page.locator("[data-alarm-count]")).to_have_text("1")
    assert page.evaluate("window.notified.length") == 1


def test_a_snoozed_browser_shows_an_alarm_and_stays_quiet(stage, open_page, bell):
    page = open_page("/", before=with_signals)
    connected(page)
    page.click(bell)
    page.click("[data-alarm-snooze='15']")
    expect(page.locator("[data-alarm-note]")).to_contain_text("Quiet until")
    stage.alarm(an_alarm())
    expect(page.locator(".told")).to_have_count(1)
    assert page.evaluate("[window.notified.length, window.rang ?? 0]") == [0, 0]
    page.click("[data-alarm-snooze='0']")
    stage.alarm(an_alarm("ecal"))
    expect(page.locator(".told")).to_have_count(2)
    assert page.evaluate("window.notified.length") == 1


def test_the_test_button_says_what_is_switched_on(stage, open_page, bell):
    page = open_page("/", before=lambda page: page.add_init_script(NOTIFICATIONS))
    page.click(bell)
    page.click("[data-alarm-test]")
    expect(page.locator("[data-alarm-note]")).to_have_text("Sound and notification are both off.")
    for name in ("alarm-sound", "alarm-notify"):
        page.locator(f"[data-alarm-setting={name}] input[value=on]").check(force=True)
    page.click("[data-alarm-test]")
    expect(page.locator("[data-alarm-note]")).to_have_text("Sent.")
    until(page, "window.rang === 1")
    assert page.evaluate("window.notified[0][0]") == "Test"
    page.reload()
    assert page.locator("[data-alarm-setting=alarm-sound] input[value=on]").is_checked()


def test_several_tabs_sound_once(stage, open_page, bell):
    page = open_page("/", before=with_signals)
    connected(page)
    other = page.context.new_page()
    other.goto(stage.url + "/")
    connected(other)
    for tab in (page, other):
        tab.bring_to_front()
        tab.click(bell)
    stage.alarm(an_alarm())
    for tab in (page, other):
        expect(tab.locator(".told")).to_have_count(1)
    page.wait_for_timeout(300)
    assert sum(tab.evaluate("window.rang ?? 0") for tab in (page, other)) == 1


def test_the_page_of_alarms_reads_without_scripts_and_updates_with_them(stage, open_page):
    stage.alarm(over(an_alarm("ecal")))
    stage.alarm(an_alarm("csc"))
    plain = open_page("/alarms", java_script_enabled=False)
    titles = plain.locator("#alarm-page .alarm-words").all_inner_texts()
    assert [title.split()[0] for title in titles] == ["csc", "ecal"]
    page = open_page("/alarms?db=production")
    expect(page.locator("[data-alarm-count]")).to_have_text("1")
    connected(page)
    stage.alarm(over(an_alarm("csc")))
    expect(page.locator("#alarm-page [data-stands]")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 1500])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_bell_is_accessible_and_fits(stage, open_page, bell, width, theme):
    stage.alarm(an_alarm())
    page = open_page("/", viewport={"width": width, "height": 900}, color_scheme=theme)
    expect(page.locator("[data-alarm-count]")).to_have_text("1")
    page.click(bell)
    expect(page.locator(".alarm-panel")).to_be_visible()
    box = page.locator(".alarm-panel").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
