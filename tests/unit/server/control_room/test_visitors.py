"""Cookies, origins, tokens, addresses: small decisions that everything rests on."""

import pytest

from dqmsquare.config import parse_config
from dqmsquare.errors import CommandRefused
from dqmsquare.server.control_room.addresses import client_address
from dqmsquare.server.control_room.cookies import SESSION_COOKIE, clear_cookie, read_cookie, set_cookie
from dqmsquare.server.control_room.login_routes import _own_page
from dqmsquare.server.control_room.origin import check_origin, check_token, make_token

PUBLIC = parse_config({"SERVER_PUBLIC_URL": "https://cmsweb.cern.ch"}, role="server", as_root=False)
LOCAL = parse_config({}, role="server", as_root=False)
ELSEWHERE = parse_config(
    {"ENV": "testbed", "POSTGRES_HOST": "db", "PUBLIC_ID_KEY": "k" * 32}, role="server", as_root=False
)


def is_ours(config, **headers: str) -> bool:
    try:
        check_origin({f"HTTP_{name.upper()}": value for name, value in headers.items()}, config)
    except CommandRefused:
        return False
    return True


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (f"{SESSION_COOKIE}=x", "x"),
        (f"{'0f' * 40}; {SESSION_COOKIE}=x", "x"),  # what the front-end puts before some clients' cookies
        (f'a="b;c"; {SESSION_COOKIE}=x; d', "x"),
        (f"{SESSION_COOKIE}=x=y", "x=y"),
        (f"{SESSION_COOKIE}=x; {SESSION_COOKIE}=y", ""),  # one of them is somebody else's
        (f"{SESSION_COOKIE}2=x; x{SESSION_COOKIE}=x", ""),
        ("", ""),
    ],
)
def test_the_cookie_is_found_whatever_stands_beside_it(header, value):
    assert read_cookie(header, SESSION_COOKIE) == value


def test_security_a4_the_cookie_is_the_control_rooms_alone():
    assert set_cookie(SESSION_COOKIE, "x", "/dqm/dqm-square/cr") == (
        "__Secure-dqmcr=x; Path=/dqm/dqm-square/cr; Secure; HttpOnly; SameSite=Strict"
    )
    assert "Max-Age=0" in clear_cookie(SESSION_COOKIE, "/cr")


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"origin": "https://cmsweb.cern.ch"}, True),
        ({"origin": "https://cmsweb.cern.ch", "sec_fetch_site": "same-origin"}, True),
        ({"referer": "https://cmsweb.cern.ch/dqm/dqm-square/cr/"}, True),
        ({}, False),
        ({"host": "cmsweb.cern.ch"}, False),
        ({"origin": "null"}, False),
        ({"origin": "null", "referer": "https://cmsweb.cern.ch/"}, False),
        ({"origin": "http://cmsweb.cern.ch"}, False),
        ({"origin": "https://cmsweb.cern.ch:444"}, False),
        ({"origin": "https://cmsweb.cern.ch.evil.org"}, False),
        ({"origin": "https://evil.org", "host": "evil.org"}, False),
        ({"referer": "https://evil.org/https://cmsweb.cern.ch/"}, False),
        ({"referer": "https://cmsweb.cern.ch@evil.org/"}, False),
        ({"referer": "http://[::1"}, False),
        ({"origin": "https://cmsweb.cern.ch", "sec_fetch_site": "same-site"}, False),
        ({"origin": "https://cmsweb.cern.ch", "sec_fetch_site": "cross-site"}, False),
        ({"origin": "https://cmsweb.cern.ch", "sec_fetch_site": "none"}, False),
    ],
)
def test_security_b2_only_our_own_pages_may_change_something(headers, ours):
    assert is_ours(PUBLIC, **headers) is ours


def test_on_ones_own_machine_the_address_is_whatever_it_was_reached_by():
    assert is_ours(LOCAL, origin="http://127.0.0.1:8887", host="127.0.0.1:8887")
    assert not is_ours(LOCAL, origin="http://127.0.0.1:9999", host="127.0.0.1:8887")
    assert not is_ours(LOCAL, origin="http://", host="")


def test_security_i2_elsewhere_the_host_header_decides_nothing():
    assert not is_ours(ELSEWHERE, origin="http://mirror", host="mirror")


@pytest.mark.parametrize("given", ["", "0" * 64, "é", make_token("session", "log out"), make_token("other", "command")])
def test_a_token_is_of_one_session_and_one_scope(given):
    with pytest.raises(CommandRefused):
        check_token(given, "session", "command")
    check_token(make_token("session", "command"), "session", "command")


@pytest.mark.parametrize(
    ("hops", "forwarded", "address"),
    [
        (0, "1.2.3.4", "10.0.0.9"),
        (1, "1.2.3.4", "1.2.3.4"),
        (1, "9.9.9.9, 1.2.3.4:5678", "1.2.3.4"),
        (1, "9.9.9.9, [2001:1458::1]:80", "2001:1458::1"),
        (2, "9.9.9.9,1.2.3.4:5678,10.0.0.7", "1.2.3.4"),
        (2, "1.2.3.4", "10.0.0.9"),
        (1, "", "10.0.0.9"),
        (1, "<script>", "10.0.0.9"),
    ],
)
def test_the_address_is_what_the_trusted_proxies_saw(hops, forwarded, address):
    environ = {"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": forwarded}
    assert client_address(environ, hops) == address


def test_without_any_address_it_is_unknown():
    assert client_address({"REMOTE_ADDR": ""}, 0) == "unknown"


@pytest.mark.parametrize(
    "path", ["//evil", "/\\evil", "https://evil", "/cr/../x", "/cr/\n", "/other", "", "/cr/ x", "/crx/"]
)
def test_security_i3_a_login_goes_on_to_no_page_but_ours(path):
    assert _own_page(path) == "/cr/"


def test_a_login_goes_on_to_the_page_that_was_asked_for():
    assert _own_page("/cr/activity/?account=expert&from=2026-05-01") == "/cr/activity/?account=expert&from=2026-05-01"
