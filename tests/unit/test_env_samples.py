"""The samples name every setting, are accepted as they stand, and say the true defaults."""

import io
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from dqmsquare.config import parse_config, setting_fields

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = (".env_sample_local", ".env_sample_production")
ROLES = ("server", "grabber_production", "grabber_playback", "grabber", "database")
SECRET = "0123456789abcdef" * 4
ACCOUNT = "shifter:$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"


def names_in(text: str) -> set[str]:
    return set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", text, flags=re.MULTILINE))


def settings_of(text: str, folder: Path) -> dict[str, str]:
    """The sample's lines as `.env` gives them, with every file it names made under `folder`."""
    text = text.replace("=/etc/", f"={folder}/etc/")
    written = {name: value or "" for name, value in dotenv_values(stream=io.StringIO(text)).items()}
    for value in written.values():
        if value.startswith(f"{folder}/"):
            Path(value).parent.mkdir(parents=True, exist_ok=True)
            Path(value).write_text(f"{ACCOUNT if value.endswith('dqm_cr_usernames') else SECRET}\n")
    return written


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> str:
    return (ROOT / request.param).read_text(encoding="utf-8")


def test_every_setting_is_in_the_sample(sample: str) -> None:
    files = {f"{field.metadata['name']}_FILE" for field in setting_fields() if field.metadata["secret"]}

    assert names_in(sample) - files == {field.metadata["name"] for field in setting_fields()}


@pytest.mark.parametrize("role", ROLES)
def test_the_sample_is_accepted_as_it_stands(sample: str, role: str, tmp_path: Path) -> None:
    parse_config(settings_of(sample, tmp_path), role=role, as_root=False)


def test_what_is_commented_out_is_the_default(sample: str, tmp_path: Path) -> None:
    everything = re.sub(r"^# ([A-Z][A-Z0-9_]*=.+)$", r"\1", sample, flags=re.MULTILINE)

    as_it_stands = parse_config(settings_of(sample, tmp_path), role="server", as_root=False)
    written_out = parse_config(settings_of(everything, tmp_path), role="server", as_root=False)

    assert written_out == as_it_stands


def test_the_production_sample_holds_no_secret() -> None:
    written = dotenv_values(ROOT / ".env_sample_production")

    assert [
        f.metadata["name"] for f in setting_fields() if f.metadata["secret"] and written.get(f.metadata["name"])
    ] == []


def test_the_local_sample_asks_only_this_machine() -> None:
    written = dotenv_values(ROOT / ".env_sample_local")

    assert (written["ENV"], written["CMSWEB_FRONTEND_PROXY_URL"]) == ("development", "http://127.0.0.1:9215")
