"""The results of the last run, to compare with: JSON files in tmp/bench, the newest of which counts."""

import json
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import load, stage
from bench.figures import Figure

FOLDER = Path(__file__).parents[1] / "tmp" / "bench"
_WORTH_SAYING = 1.25  # a figure that is so many times worse or better than the last time


def keep(figures: Mapping[str, Sequence[Figure]], folder: Path = FOLDER) -> Path:
    """Writes one file: the machine, and each measurement's figures."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    found = {name: [figure.as_json() for figure in of_name] for name, of_name in figures.items()}
    path.write_text(json.dumps({"machine": machine(), "figures": found}, indent=1))
    return path


def last(folder: Path = FOLDER) -> dict[str, Any]:
    """What each figure was when it was last measured, by its words; {} where nothing is kept."""
    seen: dict[str, Any] = {}
    for path in sorted(folder.glob("*.json")):
        for figures in json.loads(path.read_text())["figures"].values():
            seen |= {figure["what"]: figure for figure in figures}
    return seen


def differences(figures: Sequence[Figure], before: Mapping[str, Any]) -> list[str]:
    """What has changed: by the ratio to today's way or the limit where there is one, since machines differ."""
    lines = []
    for figure in figures:
        then = before.get(figure.what)
        if then is None:
            continue
        name, now, was = _comparable(figure, then)
        if now and was and not 1 / _WORTH_SAYING < now / was < _WORTH_SAYING:
            lines.append(f"{figure.what}: {name} {now:.3g}, the last time {was:.3g}")
    return lines


def _comparable(figure: Figure, then: Mapping[str, Any]) -> tuple[str, float | None, float | None]:
    if figure.share and then["share"]:
        return "of the limit", figure.share, then["share"]
    if figure.gain and then["gain"]:
        return "times today's", figure.gain, then["gain"]
    return figure.unit, figure.seen, then["seen"]


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "load_generator": load.generator(),
        "static_file_from": stage.static_server(),
        "load_before": os.getloadavg()[0],
        "has_chromium": shutil.which("chromium") is not None,
    }
