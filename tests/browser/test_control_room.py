"""The Control Room in a real browser, in front of the real server and a simulated DQM²."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dqmsquare.simulator import Simulator
from tests.browser.conftest import DESK
from tests.browser.test_accessibility import violations
from tests.control_room_client import PASSWORD, SETTINGS
from tests.postgres import Server, copied_databases
from tests.programs import Mirror, mirror_on

PLAYBACK_FU, PRODUCTION_FU = "dqmfu-c2b01-45-01", "dqmfu-c2b03-45-01"
CLIENT = "beam_dqm_sourceclient-live_cfg.py"


@pytest.fixture(scope="module")
def running(postgres_18: Server, templates_18: dict[str, str], tmp_path_factory) -> Iterator[Mirror]:
    """One server for all tests of this module: a start takes longer than most of them."""
    folder = tmp_path_factory.mktemp("control-room")
    with copied_databases(postgres_18, templates_18, folder) as place, Simulator() as simulator:
        settings = {"SERVER_URL_PREFIX": "/dqm/dqm-square", **SETTINGS}
        with mirror_on(place, simulator, folder, **settings) as mirror:
            mirror.start_server()
            yield mirror


@pytest.fixture
def mirror(running: Mirror) -> Mirror:
    """The same with DQM² as it was at first, only without its defects."""
    control_room = running.simulator.control_room
    control_room.machines.reset()
    control_room.is_mended = True
    running.simulator.faults.clear()
    running.simulator.requests.clear()
    return running


@pytest.fixture
def open_room(browser: Browser, mirror: Mirror) -> Iterator[Callable[..., Page]]:
    """Opens a page of the Control Room in a new context; none may run what it should not, or ask somebody else."""
    contexts, complaints = [], []

    def complain(text: str, is_one: bool = True) -> None:
        # A status of 401 or 502 is a form in the place of a page, or a command that failed.
        if is_one and "the server responded with a status of" not in text:
            complaints.append(text)

    def open_one(path: str = "/cr/", *, account: str = "expert", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESK, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8_000)
        page.on("pageerror", lambda error: complain(str(error)))
        page.on("dialog", lambda dialog: complain(dialog.message))
        page.on("console", lambda message: complain(message.text, message.type in {"error", "warning"}))
        own = (mirror.url(), "data:")
        page.on("request", lambda request: complain(request.url, not request.url.startswith(own)))
        page.goto(mirror.url(path))
        if account:
            log_in(page, account)
            is_scripted = options.get("java_script_enabled", True)
            page.wait_for_selector("html[data-ready] .who-name" if is_scripted else ".who-name")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def log_in(page: Page, account: str = "expert", password: str | None = None) -> None:
    page.fill("#username", account)
    page.fill("#password", password or (PASSWORD if account == "expert" else f"{PASSWORD} too"))
    page.press("#password", "Enter")


def button(page: Page, machine: str, what: str):
    return page.locator(f"[data-machine='{machine}'] [data-command='{what}']")


def give_password(page: Page) -> None:
    page.fill("[data-ask-secret]", PASSWORD)
    page.click("[data-ask-do]")


def results(page: Page) -> list[str]:
    return page.locator("#latest .result").all_inner_texts()


def test_somebody_logs_in_after_a_wrong_password(open_room):
    page = open_room(account="")
    expect(page.locator("#username")).to_be_focused()
    log_in(page, password="not the password")
    expect(page.locator(".door-words")).to_have_text("Account or password is wrong.")
    expect(page.locator("#username")).to_have_value("expert")
    expect(page.locator("#password")).to_be_focused()
    log_in(page)
    expect(page.locator(".who-name")).to_have_text("expert")
    expect(page.locator("[data-ends-at]")).to_have_text(re.compile(r"^(59|60) min left$"))
    assert page.locator("[data-machine]").count() == 6
    expect(page.locator(f"[data-machine='{PLAYBACK_FU}'] [data-versions]")).to_have_text("hltd 2.9.1 · fff 2.1.0")
    [cookie] = page.context.cookies()
    assert (cookie["name"], cookie["path"], cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (
        "__Secure-dqmcr", "/dqm/dqm-square/cr", True, True, "Strict",
    )  # fmt: skip
    assert page.evaluate("document.cookie") == ""


def test_the_page_that_was_asked_for_comes_after_the_login(open_room, mirror):
    page = open_room("/cr/activity/?result=done", account="")
    log_in(page)
    expect(page).to_have_url(mirror.url("/cr/activity/?result=done"))


def test_a_restart_on_the_playback_is_confirmed_sent_and_done(open_room, mirror):
    page = open_room()
    restart = button(page, PLAYBACK_FU, "restart_hltd")
    restart.click()
    dialog = page.locator("[data-ask]")
    expect(dialog).to_contain_text(f"Restart hltd on {PLAYBACK_FU}?")
    expect(page.locator("[data-ask-production]")).to_be_hidden()
    expect(page.locator("[data-ask-secret]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(restart).to_be_focused()
    assert mirror.simulator.requests.count("/cr/exe") <= 4  # lists alone
    mirror.simulator.faults.set("hang:2.5", path="/cr/exe", times=1)
    restart.click()
    give_password(page)
    expect(page.locator("[data-told]")).to_contain_text("sent")
    expect(page.locator("#latest .result").first).to_have_text("sent…")
    expect(page.locator(f"[data-machine='{PLAYBACK_FU}'] .machine-note")).to_contain_text("waiting")
    expect(restart).to_be_disabled()
    expect(button(page, PLAYBACK_FU, "restart_fff")).to_be_disabled()
    expect(button(page, PRODUCTION_FU, "restart_hltd")).to_be_enabled()
    expect(page.locator("[data-told]")).to_contain_text("done")
    expect(page.locator("#latest .result").first).to_have_text("done")
    expect(restart).to_be_enabled()
    assert mirror.simulator.control_room.machines.machines[PLAYBACK_FU].n_restarts["hltd"] == 1


def test_a_restart_on_production_wants_the_word_typed_and_the_password_once_in_five_minutes(open_room, mirror):
    page = open_room()
    button(page, PRODUCTION_FU, "restart_fff").click()
    do = page.locator("[data-ask-do]")
    expect(page.locator("[data-ask]")).to_contain_text("Production.")
    expect(page.locator("[data-ask-typed]")).to_be_focused()
    page.fill("[data-ask-secret]", "wrong")
    for typed in ("", "produc", "Production", "production "):
        page.fill("[data-ask-typed]", typed)
        expect(do).to_be_disabled()
    page.fill("[data-ask-typed]", "production")
    do.click()
    expect(page.locator("[data-ask-problem]")).to_have_text("The password is wrong.")
    expect(page.locator("[data-ask-secret]")).to_be_focused()
    give_password(page)
    expect(page.locator("[data-told]")).to_contain_text("done")
    button(page, PRODUCTION_FU, "restart_hltd").click()
    expect(page.locator("[data-ask-password]")).to_be_hidden()
    expect(do).to_be_disabled()
    page.fill("[data-ask-typed]", "production")
    page.keyboard.press("Enter")
    expect(page.locator("[data-told]")).to_have_text(f"restart hltd on {PRODUCTION_FU}: done.")
    machine = mirror.simulator.control_room.machines.machines[PRODUCTION_FU]
    assert machine.n_restarts == {"hltd": 1, "fff": 1}


def test_an_effect_that_nobody_knows_is_shown_as_such(open_room, mirror):
    mirror.simulator.control_room.is_mended = False
    page = open_room()
    button(page, PLAYBACK_FU, "restart_hltd").click()
    give_password(page)
    expect(page.locator("[data-told]")).to_contain_text("unknown effect")
    expect(page.locator("#latest .result").first).to_have_text("unknown effect: DQM² answered 500. Check the log.")


def test_a_client_is_switched_off(open_room, mirror):
    page = open_room()
    page.select_option("#clients-machine", PLAYBACK_FU)
    beam = page.locator(f"[data-client='{CLIENT}']")
    expect(beam).to_have_attribute("aria-checked", "true")
    expect(page.locator("[data-clients-age]")).to_have_text(re.compile("as of [0-9]+ s ago"))
    mirror.simulator.faults.set("hang:1", path="/cr/exe", times=1)
    beam.click()
    expect(page.locator("[data-ask]")).to_contain_text(f"Switch beam off on {PLAYBACK_FU}?")
    give_password(page)
    expect(beam).to_have_attribute("aria-checked", "mixed")
    expect(beam).to_contain_text("unknown")
    expect(beam).to_have_attribute("aria-checked", "false")
    assert CLIENT not in mirror.simulator.control_room.machines.machines[PLAYBACK_FU].active
    expect(page.locator("#latest tr").first).to_contain_text("beam off")


def test_clients_are_unknown_where_dqm2_does_not_say(open_room, mirror):
    page = open_room()
    page.select_option("#clients-machine", PLAYBACK_FU)
    expect(page.locator("[data-client]").first).to_be_visible()
    mirror.simulator.faults.set("status:502", path="/cr/exe", times=1)
    page.select_option("#clients-machine", PRODUCTION_FU)
    expect(page.locator("[data-clients-note]")).to_have_text("DQM² answered 502")
    assert page.locator("[data-client]").count() == 0


def test_a_playback_run_is_started_with_its_warning(open_room, mirror):
    page = open_room()
    expect(page.locator("[data-runs]")).to_have_value("run256936")
    expect(page.locator("[data-lumis]")).to_have_value("1500")
    expect(page.locator(".warning")).to_have_text("Starting replaces the run that is playing now.")
    page.select_option("[data-runs]", "run398183")
    expect(page.locator("[data-oms]")).to_have_attribute("href", re.compile("cms_run=398183$"))
    page.select_option("[data-run-key]", "hi_run")
    page.fill("[data-lumis]", "30")
    page.click("[data-start]")
    expect(page.locator("[data-ask]")).to_contain_text("run398183 · hi_run · 30 lumisections")
    give_password(page)
    expect(page.locator("[data-told]")).to_contain_text("done")
    playback = mirror.simulator.control_room.machines.playback
    assert (playback["run_key"], playback["number_of_ls"]) == ("hi_run", 30)
    assert playback["source"].endswith("/run398183")


def test_a_log_is_read_in_the_viewer_without_a_window_of_its_own(open_room):
    page = open_room()
    page.click(f"[data-machine='{PLAYBACK_FU}'] a:has-text('hltd log')")
    expect(page.locator("h1")).to_contain_text(f"log of {PLAYBACK_FU}")
    assert page.locator("[data-log-lines] li").count() == 400
    page.fill("[data-log-find]", "failed to move")
    expect(page.locator("[data-log-count]")).to_have_text("1 / 4")
    assert "canary" not in page.content()
    expect(page.locator("#L97")).to_contain_text("<disk> full & 'quoted'")
    page.click("a:has-text('anelastic')")
    expect(page.locator("a[aria-current=true]:has-text('anelastic')")).to_be_visible()
    assert len(page.context.pages) == 1


def test_after_logging_out_the_back_button_shows_nothing(open_room):
    page = open_room()
    expect(page.locator("[data-machine]").first).to_be_visible()
    page.click("text=Log out")
    page.click("button:has-text('Log out')")
    expect(page.locator("#username")).to_be_visible()
    for _ in range(2):
        page.go_back()
        expect(page.locator("#username")).to_be_visible()
        assert PLAYBACK_FU not in page.content()


def test_a_page_that_stays_open_shows_the_form_when_its_session_is_over(open_room, mirror):
    page = open_room()
    expect(page.locator("[data-runs]")).to_be_enabled()
    mirror.place.rows("DELETE FROM mirror.control_room_sessions")
    page.evaluate("document.dispatchEvent(new CustomEvent('mirror:acted'))")  # or ten seconds later
    expect(page.locator("#username")).to_be_visible()


def test_everything_works_by_keyboard(open_room, mirror):
    page = open_room()
    button(page, PRODUCTION_FU, "restart_hltd").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-ask-typed]")).to_be_focused()
    page.keyboard.type("production")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("[data-told]")).to_contain_text("done")
    page.locator("#clients-machine").focus()
    page.keyboard.type("dqmfu-c2b01")
    client = page.locator("[data-client]").first
    expect(client).to_be_visible()
    client.focus()
    page.keyboard.press("Space")
    expect(page.locator("[data-ask]")).to_contain_text("Switch beam")
    page.keyboard.press("Escape")
    expect(page.locator("[data-ask]")).to_be_hidden()


def test_a_viewer_sees_everything_and_can_change_nothing(open_room):
    page = open_room(account="reader")
    expect(page.locator(".room-note")).to_be_visible()
    assert page.locator("[data-command], [data-start]").count() == 0
    page.select_option("#clients-machine", PLAYBACK_FU)
    expect(page.locator("[data-client]").first).to_be_disabled()
    page.click("[data-information='get_cmssw_info']")
    expect(page.locator("[data-answer]")).to_contain_text("GlobalTag")


def test_without_scripts_machines_and_activity_can_be_read(open_room):
    page = open_room(java_script_enabled=False)
    expect(page.locator("[data-machine]").first).to_be_visible()
    expect(page.locator("[data-command]").first).to_be_hidden()
    page.click("main a:has-text('All')")
    expect(page.locator("table.activity")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_320_pixels_are_enough(open_room, mirror, theme):
    page = open_room(account="", color_scheme=theme)
    found = {"login": violations(page)}
    log_in(page)
    page.select_option("#clients-machine", PLAYBACK_FU)
    expect(page.locator("[data-client]").first).to_be_visible()
    found["room"] = violations(page)
    button(page, PRODUCTION_FU, "restart_hltd").click()
    expect(page.locator("[data-ask]")).to_be_visible()
    found["ask"] = violations(page)
    page.keyboard.press("Escape")
    host_id = page.locator(f"[data-machine='{PLAYBACK_FU}']").get_attribute("id").removeprefix("m-")
    wide = {}
    for path in ("", f"logs/{host_id}/fff", "activity/?all=1", "alarms/", "logout/"):
        page.set_viewport_size(DESK)
        page.goto(mirror.url(f"/cr/{path}"))
        found[path] = violations(page)
        page.set_viewport_size({"width": 320, "height": 700})
        wide[path] = page.evaluate("document.documentElement.scrollWidth")
    assert found == {name: [] for name in found}
    assert wide == dict.fromkeys(wide, 320)
