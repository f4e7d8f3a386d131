"""The documents name what there is."""

import re

import pytest

from tests.shipping.conftest import ROOT


@pytest.mark.parametrize("name", ["docs/operations.md", "docs/promises.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_file_and_link_that_is_named_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)#]+)", text)
    files = re.findall(
        r"`(?:\./)?((?:docs|monitoring|services|packaging|dqmsquare|k8_\w+|dqmsquare_\w+)[\w./]*\.\w+)`", text
    )
    tests = [f"tests/{path}" for path in re.findall(r"`((?:unit|integration|acceptance|browser)/\w+\.py)`", text)]

    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []
    assert [path for path in [*files, *tests] if not (ROOT / path).exists()] == []


def test_every_promise_has_something_that_shows_it() -> None:
    rows = re.findall(r"^\| (P\d) \| (.+?) \| (.+?) \|$", (ROOT / "docs/promises.md").read_text(), flags=re.MULTILINE)

    assert [number for number, _, _ in rows] == [f"P{n}" for n in range(1, 9)]
    for number, _, shown in rows:
        assert re.search(r"`\w+/[\w/]+\.py`", shown), number


def test_the_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {
        target
        for name in ("docs/operations.md", "CONTRIBUTING.md")
        for target in re.findall(r"(?:`|^    )make ([a-z-]+)", (ROOT / name).read_text(), flags=re.MULTILINE)
    }

    assert named <= targets


def test_every_setting_that_is_named_exists() -> None:
    sample = (ROOT / ".env_sample_production").read_text()
    settings = set(re.findall(r"^(?:# )?([A-Z_]+)=", sample, flags=re.MULTILINE))
    text = (ROOT / "docs/operations.md").read_text()
    others = {"CHANGEME", "NAME", "NAME_FILE", "BASE_DIGEST", "LEVEL"}

    named = set(re.findall(r"`([A-Z][A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", text)) - others
    assert named <= settings
