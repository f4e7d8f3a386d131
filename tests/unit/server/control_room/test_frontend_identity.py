import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqmsquare.control_room_accounts import Account
from dqmsquare.errors import CommandRefused
from dqmsquare.server.control_room.frontend_identity import FrontEnd, sign, signed_headers

KEY = bytes(range(0x14))
VECTOR = {
    "cms-authn-method": "X509Cert",
    "cms-authn-dn": "/DC=ch/DC=cern/OU=Users/CN=probé",
    "cms-authn-login": "probe",
    "cms-authn-name": "Probé A",
    "cms-authz-operator": "group:dqm site:t2-ch-cern",
}
DIGEST = "c5ff066a704c7bf14b709f36e32b1ebf7dc482e7"


def environ(headers: dict[str, str], digest: str | None = None, status: str | None = "OK", key: bytes = KEY) -> dict:
    """As WSGI has it: each byte a character."""
    encoded = {name: value.encode() for name, value in headers.items()}
    digest = sign(key, encoded) if digest is None else digest
    found = {f"HTTP_{name.upper().replace('-', '_')}": value.decode("latin-1") for name, value in encoded.items()}
    found |= {"HTTP_CMS_AUTHN_HMAC": digest} if digest else {}
    return found | ({"HTTP_CMS_AUTH_STATUS": status} if status is not None else {})


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "hmac"
    path.write_bytes(KEY)
    return path


def is_refused(front_end: FrontEnd, asked: dict) -> bool:
    try:
        front_end.identify(asked)
    except CommandRefused as refused:
        shows_nothing = not any(value in str(refused) for value in VECTOR.values())
        return refused.status == 403 and shows_nothing
    return False


def test_security_a11_the_signature_is_the_front_ends():
    assert sign(KEY, {name: value.encode() for name, value in VECTOR.items()}) == DIGEST


def test_a_signed_identity_is_known_with_its_letters(key_file):
    identity = FrontEnd([key_file]).identify(environ(VECTOR, DIGEST))
    assert (identity.login, identity.dn, identity.is_strong) == ("probe", "/DC=ch/DC=cern/OU=Users/CN=probé", True)
    assert "CN" not in (identity.dn_hash or "")


@pytest.mark.parametrize("status", [None, "", "NONE", "none", "FAIL"])
def test_without_the_word_ok_nobody_is_there(key_file, status):
    assert is_refused(FrontEnd([key_file]), environ(VECTOR, status=status))


@pytest.mark.parametrize("status", ["OK", "ok"])
def test_the_word_alone_grants_nothing(key_file, status):
    assert is_refused(FrontEnd([key_file]), {"HTTP_CMS_AUTH_STATUS": status, "HTTP_CMS_AUTHN_LOGIN": "probe"})


@pytest.mark.parametrize("digest", ["", "0" * 40, DIGEST.upper(), DIGEST[:-1], DIGEST + "0", "x" * 40, f"{DIGEST}\n"])
def test_another_digest_is_refused(key_file, digest):
    assert is_refused(FrontEnd([key_file]), environ(VECTOR, digest or "-"))


def test_security_a11_a_missing_digest_is_refused(key_file):
    asked = environ(VECTOR)
    del asked["HTTP_CMS_AUTHN_HMAC"]
    assert is_refused(FrontEnd([key_file]), asked)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(VECTOR)), data=st.data())
def test_security_a11_one_bit_in_any_header_is_noticed(key_file, name, data):
    asked = environ(VECTOR)
    key = f"HTTP_{name.upper().replace('-', '_')}"
    value = bytearray(asked[key].encode("latin-1"))
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    assert is_refused(FrontEnd([key_file]), asked | {key: value.decode("latin-1")})


@pytest.mark.parametrize("name", sorted(VECTOR))
def test_security_a11_a_header_left_out_or_doubled_is_noticed(key_file, name):
    key = f"HTTP_{name.upper().replace('-', '_')}"
    without = environ(VECTOR)
    del without[key]
    doubled = environ(VECTOR)
    assert is_refused(FrontEnd([key_file]), without)
    assert is_refused(FrontEnd([key_file]), doubled | {key: f"{doubled[key]},{doubled[key]}"})


@pytest.mark.parametrize(
    "key", ["HTTP_CMS_AUTHZ_ZZ_PROBE", "HTTP_CMS_AUTHN_NAME_2", "HTTP_CMS_AUTHZ", "HTTP_CMS_AUTHNX"]
)
def test_security_a11_a_header_put_in_is_noticed(key_file, key):
    assert is_refused(FrontEnd([key_file]), environ(VECTOR) | {key: "group:dqm"})


@pytest.mark.parametrize("value", ["root", "probe"])
def test_security_a11_an_underscore_in_place_of_a_dash_is_the_same_header_to_us(key_file, value):
    """The worker hands both over under one name, the last one's value: right or wrong by the signature alone."""
    asked = environ(VECTOR) | {"HTTP_CMS_AUTHN_LOGIN": value}
    assert is_refused(FrontEnd([key_file]), asked) is (value != "probe")


@pytest.mark.parametrize("key", [b"", b"another key of 20 by", KEY[:-1], KEY + b"\n"])
def test_security_a11_another_key_signs_nothing(key_file, key):
    assert is_refused(FrontEnd([key_file]), environ(VECTOR, key=key))


@pytest.mark.parametrize("content", [b"", None])
def test_security_a10_a11_with_an_empty_or_missing_key_file_nobody_is_let_in(tmp_path, content):
    path = tmp_path / "hmac"
    if content is not None:
        path.write_bytes(content)
    assert is_refused(FrontEnd([path]), environ(VECTOR, key=b""))
    assert is_refused(FrontEnd([]), environ(VECTOR))


def test_white_space_belongs_to_a_key(tmp_path):
    path = tmp_path / "hmac"
    path.write_bytes(KEY[:-1] + b"\n")
    assert not is_refused(FrontEnd([path]), environ(VECTOR, key=KEY[:-1] + b"\n"))


def test_several_keys_are_good_and_a_new_one_is_read_when_its_file_changes(tmp_path, key_file):
    newer = tmp_path / "newer"
    front_end = FrontEnd([key_file, newer])
    assert not is_refused(front_end, environ(VECTOR))
    assert is_refused(front_end, environ(VECTOR, key=b"n" * 20))
    newer.write_bytes(b"n" * 20)
    assert not is_refused(front_end, environ(VECTOR, key=b"n" * 20))
    key_file.write_bytes(b"o" * 20)
    os.utime(key_file, (1, 1))
    assert is_refused(front_end, environ(VECTOR))


@pytest.mark.parametrize(
    ("method", "login", "strength"),
    [
        ("X509Cert", "probe", "strong"), ("X509Proxy", "probe", "strong"), ("oauth", "probe", "strong"),
        ("X509LimitedProxy", "probe", "weak"), ("AUCookie", "probe", "weak"), ("HostIP", "probe", "weak"),
        ("X509Cert", None, "no"), ("X509Cert", "", "no"), ("oauth", "<nil>", "no"), ("HostIP", None, "no"),
        ("None", "probe", "no"), ("HNLogin", "probe", "no"), ("", "probe", "no"), (None, "probe", "no"),
    ],
)  # fmt: skip
def test_it_takes_a_certificate_or_a_token_and_a_login(key_file, method, login, strength):
    headers = {name: value for name, value in VECTOR.items() if name not in {"cms-authn-method", "cms-authn-login"}}
    headers |= {"cms-authn-method": method} if method is not None else {}
    headers |= {"cms-authn-login": login} if login is not None else {}
    front_end = FrontEnd([key_file])
    if strength == "no":
        assert is_refused(front_end, environ(headers))
    else:
        assert front_end.identify(environ(headers)).is_strong is (strength == "strong")


@pytest.mark.parametrize(
    ("tied", "may_use"),
    [(set(), True), ({"probe"}, True), ({VECTOR["cms-authn-dn"]}, True), ({"prob"}, False), ({"other", "dqm"}, False)],
)
def test_an_account_may_be_tied_to_logins_and_dns_and_a_role_opens_none(key_file, tied, may_use):
    identity = FrontEnd([key_file]).identify(environ(VECTOR))
    account = Account("expert", "secret", may_change=True, identities=frozenset(tied))
    assert identity.may_use(account) is may_use


def test_unsigned_headers_of_the_front_end_are_not_looked_at():
    asked = {"HTTP_CMS_AUTH_CERT": "x", "HTTP_CMS_EMAIL": "x", "HTTP_CMS_SESSION": "x", "HTTP_COOKIE": "x"}
    assert signed_headers(asked) == {}
