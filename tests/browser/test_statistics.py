"""The statistics' page in a browser: its pictures follow the theme, its links and forms keep the view."""

import pytest


def pictures(page) -> list[str]:
    """The themes of the pictures that are in sight and loaded."""
    page.locator("#clients img:visible").first.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    for _ in range(100):
        if page.evaluate("[...document.querySelectorAll('#clients img')].some(one => one.naturalWidth > 0)"):
            break
        page.wait_for_timeout(100)
    loaded = "[...document.querySelectorAll('#clients img')].filter(one => one.naturalWidth).map(one => one.className)"
    return page.evaluate(loaded)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_only_the_picture_of_the_theme_is_fetched(open_page, theme):
    page = open_page("/statistics/", color_scheme=theme)
    assert pictures(page) == [f"in-{theme}"]


def test_the_switch_for_the_theme_changes_the_pictures(open_page):
    page = open_page("/statistics/", color_scheme="light")
    page.locator("[data-menu] summary").click()
    page.locator("[data-setting=theme] label", has_text="Dark").click()
    assert page.locator("#clients img:visible").get_attribute("class") == "in-dark"


def test_what_is_chosen_stands_in_the_address_and_works_without_scripts(open_page):
    path = "/statistics/?run_key=pp_run&palette=classic"
    page = open_page(path, java_script_enabled=False)
    assert page.locator(".stats-picture img:visible").count() == 8
    page.locator("[name=from]").fill("398121")
    page.locator("[name=to]").fill("398220")
    page.get_by_role("button", name="Show").click()
    assert page.url.endswith("/statistics/?db=production&palette=classic&from=398121&to=398220&run_key=pp_run")
    assert page.locator("#clients tbody tr").count() == 31
    page.locator(".stats-last a", has_text="500").click()
    assert page.url.endswith("/statistics/?db=production&last=500&run_key=pp_run&palette=classic")
