import pytest

from dqmsquare.config import parse_config
from dqmsquare.dqm2_http import Dqm2Session
from dqmsquare.errors import UpstreamRefused
from tests.integration.dqm2_peer import answering, peer

COOKIE = "selenium-secret-secret=very secret".replace(" ", "-")


def session_to(url):
    settings = {"CMSWEB_FRONTEND_PROXY_URL": url, "DQM_FFF_SECRET": "very-secret"}
    return Dqm2Session(parse_config(settings, role="grabber", as_root=False))


def fetch(session):
    return session.fetch("GET", "/cr/exe", params={"what": "x y&z"}, deadline_seconds=5, cap_bytes=1_000)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_f8_neither_request_nor_cookie_follows_a_redirect(status):
    with peer(answering(b"{}")) as elsewhere:
        headers = f"Location: {elsewhere.url}/login\r\n"
        with peer(answering(b"", status=status, headers=headers)) as dqm2:
            session = session_to(dqm2.url)
            with pytest.raises(UpstreamRefused):
                fetch(session)
            session.close()
            assert [asked.headers["cookie"] for asked in dqm2.asked] == [COOKIE]
        assert (elsewhere.n_connections, elsewhere.asked) == (0, [])


def test_security_c3_proxies_and_passwords_of_the_environment_are_not_used(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    with peer(answering(b"proxied")) as proxy, peer(answering(b"{}")) as dqm2:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("NETRC", str(netrc))
        session = session_to(dqm2.url)
        assert fetch(session) == b"{}"
        session.close()
        assert "authorization" not in dqm2.asked[0].headers
        assert proxy.n_connections == 0


def test_cookies_that_the_front_end_sets_do_not_come_back():
    with peer(answering(b"{}", headers="Set-Cookie: cms-auth=0123abcd; Path=/\r\n")) as dqm2:
        session = session_to(dqm2.url)
        fetch(session)
        fetch(session)
        session.close()
        assert [asked.headers["cookie"] for asked in dqm2.asked] == [COOKIE, COOKIE]


def test_what_is_asked_is_encoded_below_the_configured_address():
    with peer(answering(b"{}")) as dqm2:
        session = session_to(f"{dqm2.url}/dqm/dqm-square-origin/")
        fetch(session)
        session.close()
        assert dqm2.asked[0].line == "GET /dqm/dqm-square-origin/cr/exe?what=x+y%26z HTTP/1.1"
