"""`.ci/audit`: a known weakness fails the check, advisories that cannot be had do not."""

import json
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "audit"
GOOD = {"name": "bottle", "version": "0.13.4", "vulns": []}
BAD = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "CVE-2024-56326", "fix_versions": ["3.1.5"]}]}
UNKNOWN = {"name": "ours", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([GOOD], 0, ""),
        ([GOOD, BAD], 1, "jinja2 3.1.0: CVE-2024-56326, mended in 3.1.5\n"),
        ([GOOD, UNKNOWN], 0, "audited 1 packages, 1 could not be looked up here\n"),
        (None, 0, "not audited, the advisories cannot be reached: no way out\n"),
    ],
)
def test_only_a_known_weakness_fails_the_check(monkeypatch, tmp_path, capsys, packages, status, said):
    tool = tmp_path / "pip-audit"
    answer = "" if packages is None else json.dumps({"dependencies": packages})
    tool.write_text(f"#!/bin/sh\necho 'no way out' >&2\necho '{answer}'\n")
    tool.chmod(0o755)
    script = runpy.run_path(str(SCRIPT))
    monkeypatch.setitem(script["main"].__globals__, "_PIP_AUDIT", tool)
    assert script["main"](["requirements.txt"]) == status
    assert capsys.readouterr().err == said
