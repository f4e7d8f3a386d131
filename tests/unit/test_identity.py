"""Public ids and labels: what stands for a host or a job outside Point 5."""

import hashlib
import hmac
from base64 import b32encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmsquare.identity import PublicIds, host_label, key_fingerprint

KEY = bytes(range(32))
IDS = PublicIds(KEY, "production")
DOCUMENT = "dqm-source-state-run358788-hostdqmfu-c2b03-45-01-pid123"


def base32_of(text: str) -> str:
    """The rule as the design has it: base32(HMAC-SHA256(key, text)), 16 characters, lower case."""
    return b32encode(hmac.new(KEY, text.encode(), hashlib.sha256).digest()).decode()[:16].lower()


def test_a_jobs_id_is_the_keyed_hash_of_its_cluster_and_document() -> None:
    assert IDS.document(DOCUMENT) == base32_of(f"job|production|{DOCUMENT}")


def test_a_hosts_id_is_the_keyed_hash_of_its_short_name() -> None:
    assert IDS.host("fu-c2f11-11-04") == base32_of("host|fu-c2f11-11-04")


def test_a_host_is_the_same_with_and_without_cms() -> None:
    assert IDS.host("fu-c2f11-11-04.cms") == IDS.host(" FU-c2f11-11-04 ") == IDS.host("fu-c2f11-11-04")


def test_a_host_of_both_clusters_has_one_id_and_a_job_two() -> None:
    playback = PublicIds(KEY, "playback")

    assert playback.host("fu-1") == IDS.host("fu-1")
    assert playback.document("x") != IDS.document("x")


def test_another_key_gives_other_ids_and_another_fingerprint() -> None:
    other = bytes(32)

    assert PublicIds(other, "production").document(DOCUMENT) != IDS.document(DOCUMENT)
    assert key_fingerprint(other) != key_fingerprint(KEY)
    assert KEY.hex()[:8] not in key_fingerprint(KEY)


def test_what_stands_for_a_revision_changes_with_each_of_its_parts() -> None:
    seen = {
        IDS.revision("a", 1, 1.5),
        IDS.revision("a", 1, 1.25),
        IDS.revision("a", 1, None),
        IDS.revision("a", 2, 1.5),
        IDS.revision("b", 1, 1.5),
        PublicIds(KEY, "playback").revision("a", 1, 1.5),
    }

    assert len(seen) == 6


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("dqmfu-c2b03-45-01", "dqmfu-c2b03-.."),
        ("dqmrubu-c2a06-01-01.cms", "dqmrubu-c2a06-.."),
        ("DQMFU-c2b03-45-01", "dqmfu-c2b03-.."),
        ("fu-c2f11-11-04", "fu..04"),
        ("fu-c2f11-11-03.cms", "fu..03"),
        ("lonely", "lonely"),
        ("dqm", "dqm"),
        ("", ""),
    ],
)
def test_a_label_is_what_people_at_point_5_know(name: str, label: str) -> None:
    assert host_label(name) == label


@given(st.text())
def test_any_text_gets_an_id_that_may_stand_in_an_address(text: str) -> None:
    assert set(IDS.document(text) + IDS.host(text) + IDS.attempt(text)) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert len(IDS.document(text)) == 16


def test_half_a_surrogate_pair_is_no_error() -> None:
    assert len(IDS.document("\ud800")) == 16
