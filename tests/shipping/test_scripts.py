"""The scripts that are shipped."""

import sys
from pathlib import Path

from tests.shipping.conftest import ROOT
from tests.shipping.programs import said


def test_shellcheck_has_nothing_to_say() -> None:
    of_ci = [path for path in (ROOT / ".ci").iterdir() if "python" not in path.read_text().splitlines()[0]]
    scripts = [*ROOT.glob("*.sh"), *(ROOT / "services").glob("*.sh"), *of_ci]
    ended = said(Path(sys.executable).with_name("shellcheck"), *scripts)

    assert len(scripts) >= 8
    assert (ended.returncode, ended.stdout) == (0, "")


def test_each_can_be_started() -> None:
    scripts = [*ROOT.glob("*.sh"), *(ROOT / "services").glob("*.sh")]

    assert [path.name for path in scripts if not path.stat().st_mode & 0o111] == []
