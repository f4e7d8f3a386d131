import logging
import shutil
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from dqmsquare.config import parse_config
from dqmsquare.dqm2_http import Dqm2Session, certificate, certificate_expiry, check_certificate
from dqmsquare.errors import ConfigError, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from tests.certs.authority import ONE_DAY, Authority, Pair
from tests.integration.dqm2_peer import answering, dripping, peer

NOW = datetime.now(UTC)
NOT_A_PAIR = "SERVER_GRID_KEY_PATH: the key is not the one that belongs to the certificate"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "cern")


@pytest.fixture
def server_tls(authority):
    return tls_of(authority.issue("server", hosts=("127.0.0.1", "localhost")), authority)


@pytest.fixture
def ours(authority):
    return authority.issue("robot")


def tls_of(pair, clients):
    """As CMSWEB's front-end: shows a certificate and wants one of `clients`'."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(clients.bundle)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def config_of(url, pair, bundle=None, role="server", **more):
    settings = {
        "CMSWEB_FRONTEND_PROXY_URL": url,
        "SERVER_GRID_CERT_PATH": str(pair.certificate),
        "SERVER_GRID_KEY_PATH": str(pair.key),
        "CA_BUNDLE": str(bundle or ""),
        **more,
    }
    return parse_config(settings, role=role, as_root=False)


def fetch(session, deadline_seconds=5.0):
    return session.fetch("GET", "/x", deadline_seconds=deadline_seconds, cap_bytes=1_000)


def fetch_once(url, pair, bundle=None, **more):
    session = Dqm2Session(config_of(url, pair, bundle, **more))
    try:
        return fetch(session)
    finally:
        session.close()


def test_the_right_certificate_gets_an_answer(authority, server_tls, ours):
    with peer(answering(b"[1]"), server_tls) as server:
        assert fetch_once(server.url, ours, authority.bundle) == b"[1]"


def test_the_connection_is_kept_over_tls(authority, server_tls, ours):
    with peer(answering(b"[1]"), server_tls) as server:
        session = Dqm2Session(config_of(server.url, ours, authority.bundle))
        assert [fetch(session), fetch(session)] == [b"[1]", b"[1]"]
        session.close()
        assert server.n_connections == 1


def test_f7_a_certificate_of_another_authority_is_refused(authority, server_tls, tmp_path):
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger").issue("robot")
    with (
        peer(answering(b"[1]"), server_tls) as server,
        pytest.raises(UpstreamRefused, match=r"our certificate was refused \(TLSV1_ALERT_UNKNOWN_CA\)"),
    ):
        fetch_once(server.url, stranger, authority.bundle)


def test_f7_f42_an_expired_certificate_is_refused(authority, server_tls):
    expired = authority.issue("late", valid_from=NOW - 2 * ONE_DAY, valid_until=NOW - ONE_DAY)
    with (
        peer(answering(b"[1]"), server_tls) as server,
        pytest.raises(UpstreamRefused, match=r"our certificate was refused .*EXPIRED"),
    ):
        fetch_once(server.url, expired, authority.bundle)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_f7_a_refusal_is_told_from_a_broken_connection_in_each_version_of_tls(authority, server_tls, version):
    expired = authority.issue("late", valid_from=NOW - 2 * ONE_DAY, valid_until=NOW - ONE_DAY)
    server_tls.minimum_version = server_tls.maximum_version = version
    with peer(answering(b"[1]"), server_tls) as server, pytest.raises(UpstreamRefused):
        fetch_once(server.url, expired, authority.bundle)


def test_f42_a_missing_certificate_is_refused_before_anybody_is_asked(authority, server_tls, tmp_path):
    nothing = Pair(tmp_path / "nothing.pem", tmp_path / "nothing-key.pem")
    with peer(answering(b"[1]"), server_tls) as server:
        with pytest.raises(UpstreamRefused) as caught:
            fetch_once(server.url, nothing, authority.bundle)
        assert str(caught.value) == (
            "SERVER_GRID_CERT_PATH: the file cannot be read (FileNotFoundError); "
            "SERVER_GRID_KEY_PATH: the file cannot be read (FileNotFoundError)"
        )
        assert server.n_connections == 0


def test_without_https_no_certificate_is_needed(tmp_path):
    nothing = Pair(tmp_path / "nothing.pem", tmp_path / "nothing-key.pem")
    with peer(answering(b"[1]")) as server:
        assert fetch_once(server.url, nothing, tmp_path / "nothing.pem") == b"[1]"


def test_f43_security_c4_a_server_that_nobody_vouches_for_is_not_spoken_to(server_tls, ours):
    with peer(answering(b"[1]"), server_tls) as server:
        with pytest.raises(UpstreamUnreachable, match="the server's certificate cannot be verified"):
            fetch_once(server.url, ours)
        assert server.asked == []


def test_f43_security_c4_a_server_with_another_name_is_not_spoken_to_and_not_named(authority, ours):
    other = tls_of(authority.issue("other", hosts=("dqm2.test",)), authority)
    with peer(answering(b"[1]"), other) as server:
        with pytest.raises(UpstreamUnreachable) as caught:
            fetch_once(server.url, ours, authority.bundle)
        assert str(caught.value) == "the server's certificate cannot be verified: it names another host"
        assert server.asked == []


def test_f43_security_c4_an_expired_server_is_not_spoken_to(authority, ours):
    late = authority.issue("server", hosts=("127.0.0.1",), valid_from=NOW - 2 * ONE_DAY, valid_until=NOW - ONE_DAY)
    with (
        peer(answering(b"[1]"), tls_of(late, authority)) as server,
        pytest.raises(UpstreamUnreachable, match="certificate has expired"),
    ):
        fetch_once(server.url, ours, authority.bundle)


def test_without_verification_anybody_is_spoken_to_and_that_is_said_once(server_tls, ours, caplog):
    certificate._warn_that_nothing_is_verified.cache_clear()
    with peer(answering(b"[1]"), server_tls) as server, caplog.at_level(logging.WARNING):
        assert fetch_once(server.url, ours, TLS_VERIFY="0") == b"[1]"
        assert fetch_once(server.url, ours, TLS_VERIFY="0") == b"[1]"
    (warning,) = caplog.messages
    assert "NOT verified" in warning


def test_f2_the_deadline_holds_for_a_server_that_never_answers_in_tls(authority, ours):
    with peer(answering(b"[1]")) as server:
        session = Dqm2Session(config_of(server.url.replace("http:", "https:"), ours, authority.bundle))
        started = datetime.now(UTC)
        with pytest.raises(UpstreamTimeout):
            fetch(session, deadline_seconds=0.4)
        session.close()
        assert datetime.now(UTC) - started < timedelta(seconds=1.5)


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(lambda connection, _: connection.recv(1), id="hangs"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\nX: ", 0.05), id="drips"),
    ],
)
def test_f2_f3_the_deadline_holds_over_tls(authority, server_tls, ours, behave):
    with peer(behave, server_tls) as server:
        session = Dqm2Session(config_of(server.url, ours, authority.bundle))
        started = datetime.now(UTC)
        with pytest.raises(UpstreamTimeout):
            fetch(session, deadline_seconds=0.4)
        session.close()
        assert datetime.now(UTC) - started < timedelta(seconds=1.5)


def test_f42_a_replaced_certificate_is_used_without_a_restart(authority, server_tls, ours, tmp_path, caplog):
    live = Pair(tmp_path / "live.pem", tmp_path / "live-key.pem")
    expired = authority.issue("late", valid_from=NOW - 2 * ONE_DAY, valid_until=NOW - ONE_DAY)
    replace(live.certificate, expired.certificate)
    replace(live.key, expired.key)
    with peer(answering(b"[1]"), server_tls) as server, caplog.at_level(logging.INFO):
        session = Dqm2Session(config_of(server.url, live, authority.bundle))
        with pytest.raises(UpstreamRefused):
            fetch(session)
        replace(live.key, ours.key)
        replace(live.certificate, ours.certificate)
        assert fetch(session) == b"[1]"
        session.close()
    assert caplog.messages == ["certificate read anew"]


def test_f42_a_half_replaced_pair_does_not_stop_what_works(authority, server_tls, ours, tmp_path, caplog):
    live = Pair(tmp_path / "live.pem", tmp_path / "live-key.pem")
    replace(live.certificate, ours.certificate)
    replace(live.key, ours.key)
    fresh = authority.issue("fresh")
    with peer(answering(b"[1]"), server_tls) as server, caplog.at_level(logging.INFO):
        session = Dqm2Session(config_of(server.url, live, authority.bundle))
        fetch(session)
        replace(live.certificate, fresh.certificate)
        assert [fetch(session), fetch(session)] == [b"[1]", b"[1]"]
        replace(live.key, fresh.key)
        assert fetch(session) == b"[1]"
        session.close()
    assert caplog.messages == [
        f"the replaced certificate is not used: {NOT_A_PAIR}",
        "certificate read anew",
    ]


def replace(path, by):
    """As certificate tools do: a new file in the old one's place."""
    shutil.copy(by, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def problems(pair, now=NOW, url="https://dqm2.test"):
    return check_certificate(config_of(url, pair), now)


def test_a_good_pair_has_no_problems(ours):
    assert problems(ours) == []


def test_a_pair_that_is_not_used_has_no_problems(tmp_path):
    assert problems(Pair(tmp_path / "none", tmp_path / "none"), url="http://dqm2.test") == []


def test_f42_the_expiry_of_a_certificate_is_known(authority):
    until = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert certificate_expiry(authority.issue("x", valid_until=until).certificate) == until


def test_f42_of_a_chain_the_first_expiry_counts(authority, ours, tmp_path):
    soon = authority.issue("soon", valid_until=NOW + ONE_DAY)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(ours.certificate.read_bytes() + soon.certificate.read_bytes())
    assert certificate_expiry(chain) == (NOW + ONE_DAY).replace(microsecond=0)


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_f42_the_expiry_of_what_is_no_certificate_is_an_error(tmp_path, content):
    if content is not None:
        (tmp_path / "x.pem").write_bytes(content)
    with pytest.raises(ConfigError, match="SERVER_GRID_CERT_PATH"):
        certificate_expiry(tmp_path / "x.pem")


def test_f42_each_fault_of_a_pair_has_its_own_words(authority, ours, tmp_path):
    broken = tmp_path / "broken.pem"
    broken.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    until, since = datetime(2026, 1, 2, 3, 4, tzinfo=UTC), datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
    early = datetime(2020, 1, 1, tzinfo=UTC)
    assert {
        "expired": problems(authority.issue("a", valid_from=early, valid_until=until), until),
        "too early": problems(authority.issue("b", valid_from=since, valid_until=since + ONE_DAY), until),
        "another's key": problems(Pair(ours.certificate, authority.issue("c").key)),
        "encrypted": problems(authority.issue("d", passphrase=b"hush")),
        "no key": problems(Pair(ours.certificate, broken)),
        "neither": problems(Pair(broken, tmp_path / "none")),
        "a folder": problems(Pair(tmp_path, ours.key)),
    } == {
        "expired": ["SERVER_GRID_CERT_PATH: the certificate expired on 2026-01-02 03:04 UTC"],
        "too early": ["SERVER_GRID_CERT_PATH: the certificate is valid only from 2030-01-02 03:04 UTC"],
        "another's key": [NOT_A_PAIR],
        "encrypted": ["SERVER_GRID_KEY_PATH: the key is encrypted; it takes a key without passphrase"],
        "no key": ["SERVER_GRID_KEY_PATH: there is no private key in PEM form in the file"],
        "neither": [
            "SERVER_GRID_CERT_PATH: there is no certificate in PEM form in the file",
            "SERVER_GRID_KEY_PATH: the file cannot be read (FileNotFoundError)",
        ],
        "a folder": ["SERVER_GRID_CERT_PATH: the file cannot be read (IsADirectoryError)"],
    }


@pytest.mark.timeout(20)
def test_f42_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_passphrase(authority, server_tls, monkeypatch):
    asked = []

    def no_passphrase():
        asked.append("us")
        raise ValueError

    monkeypatch.setattr(certificate, "_no_passphrase", no_passphrase)
    with (
        peer(answering(b"[1]"), server_tls) as server,
        pytest.raises(UpstreamRefused, match="the key is encrypted"),
    ):
        fetch_once(server.url, authority.issue("locked", passphrase=b"hush"), authority.bundle)
    assert asked == ["us"], "not whoever sits at the terminal"


@pytest.mark.parametrize("content", [None, b"no authority"])
def test_f43_a_bundle_that_cannot_be_read_is_said_so(server_tls, ours, tmp_path, content):
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    with peer(answering(b"[1]"), server_tls) as server, pytest.raises(UpstreamRefused, match="CA_BUNDLE: it cannot"):
        fetch_once(server.url, ours, bundle)
