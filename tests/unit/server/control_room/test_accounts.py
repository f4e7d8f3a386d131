import io
import threading
import time
from typing import Any

import pytest
from argon2 import PasswordHasher

from dqmsquare.config import parse_config
from dqmsquare.control_room_accounts import Account, read_accounts
from dqmsquare.errors import ConfigError
from dqmsquare.server.control_room import accounts as module
from dqmsquare.server.control_room.accounts import Accounts, hash_password, make_hasher

QUICK: dict[str, Any] = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}
HASH = PasswordHasher(**QUICK).hash("a hashed password")
PRODUCTION = {
    "ENV": "production",
    "POSTGRES_HOST": "db",
    "PUBLIC_ID_KEY": "k" * 32,
    "SERVER_PUBLIC_URL": "https://cmsweb.cern.ch",
    "CMS_AUTH_REQUIRE": "off",
}


class CountingHasher(PasswordHasher):
    def __init__(self) -> None:
        super().__init__(**QUICK)
        self.n_verified = 0
        self.n_at_once = 0
        self.most_at_once = 0

    def verify(self, hash, password):  # noqa: A002  (the base class's name)
        self.n_verified += 1
        self.n_at_once += 1
        self.most_at_once = max(self.most_at_once, self.n_at_once)
        time.sleep(0.01)
        try:
            return super().verify(hash, password)
        finally:
            self.n_at_once -= 1


def account(name: str, secret: str) -> Account:
    return Account(name, secret, may_change=True, identities=frozenset())


def test_accounts_are_entries_with_semicolons_or_line_ends_between():
    found, problems = read_accounts(f"a:b:c; d : e ;\n\nf:{HASH}\n", "d", "login=a;/DC=ch/CN=x y=a\nother=f")
    assert problems == []
    assert found == [
        Account("a", "b:c", may_change=True, identities=frozenset({"login", "/DC=ch/CN=x y"})),
        Account("d", " e ", may_change=False, identities=frozenset()),
        Account("f", HASH, may_change=True, identities=frozenset({"other"})),
    ]
    assert "b:c" not in repr(found)


@pytest.mark.parametrize(
    ("usernames", "viewers", "ties", "problem"),
    [
        ("nobody", "", "", "entry 1 is not name:password"),
        ("a:b;:secret", "", "", "entry 2 is not name:password"),
        ("a:", "", "", "entry 1 is not name:password"),
        ("a b:c", "", "", "entry 1 is not name:password"),
        ("a:b;a:c", "", "", "a is there twice"),
        ("a:$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA", "", "", "the hash of a is not one of"),
        ("a:$argon2id$broken", "", "", "the hash of a is not one of"),
        ("a:b", "c", "", "DQM_CR_VIEWERS: c is no account"),
        ("a:b", "", "login=c", "DQM_CR_DNS: c is no account"),
        ("a:b", "", "login", "DQM_CR_DNS: entry 1 is not"),
    ],
)
def test_an_entry_that_is_none_is_named_without_its_secret(usernames, viewers, ties, problem):
    _, problems = read_accounts(usernames, viewers, ties)
    assert any(problem in line for line in problems)
    assert "secret" not in str(problems)


def problems_of(**settings: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config({**PRODUCTION, **settings}, role="server", as_root=False)
    return "\n".join(caught.value.problems)


def test_security_a5_plain_passwords_are_refused_in_production_unless_a_setting_allows_them():
    assert "DQM_CR_USERNAMES: the password of a, b is not hashed" in problems_of(DQM_CR_USERNAMES=f"a:x;b:y;c:{HASH}")
    allowed = {"DQM_CR_USERNAMES": "a:x", "DQM_CR_ALLOW_PLAIN_PASSWORDS": "1"}
    parse_config({**PRODUCTION, **allowed}, role="server", as_root=False)
    parse_config({"DQM_CR_USERNAMES": "a:x"}, role="server", as_root=False)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"CMS_AUTH_REQUIRE": ""}, "CMS_AUTH_REQUIRE is missing"),
        ({"SERVER_PUBLIC_URL": ""}, "SERVER_PUBLIC_URL is missing"),
        ({"CMS_AUTH_REQUIRE": "require"}, "CMS_AUTH_HMAC_FILE is missing"),
        ({"CMS_AUTH_REQUIRE": "require", "CMS_AUTH_HMAC_FILE": "/not/there"}, "/not/there is not there, or is empty"),
        ({"CMS_AUTH_REQUIRE": "", "CMS_AUTH_HMAC_FILE": "/not/there"}, "/not/there is not there, or is empty"),
        ({"DQM_CR_DNS": "login=c"}, "nothing verifies them"),
        ({"CMS_AUTH_REQUIRE": "maybe"}, "CMS_AUTH_REQUIRE: 'maybe' may not stand there"),
    ],
)
def test_security_a12_a_server_does_not_start_half_open(settings, problem):
    assert problem in problems_of(DQM_CR_USERNAMES=f"c:{HASH}", **settings)


def test_without_a_control_room_its_settings_do_not_matter():
    parse_config({**PRODUCTION, "CONTROL_ROOM": "off", "DQM_CR_USERNAMES": "CHANGEME"}, role="server", as_root=False)


def test_security_a12_on_the_loopback_nothing_need_be_said_of_identities():
    settings = {"CMS_AUTH_REQUIRE": "", "SERVER_BIND": "127.0.0.1", "DQM_CR_USERNAMES": f"c:{HASH}"}
    assert not parse_config({**PRODUCTION, **settings}, role="server", as_root=False).requires_identity


def test_a_password_opens_its_own_account_alone():
    accounts = Accounts([account("a", "plain password"), account("b", HASH)], CountingHasher())
    assert accounts.check("a", "plain password") == accounts.find("a")
    assert accounts.check("b", "a hashed password") == accounts.find("b")
    for name, password in (("a", "a hashed password"), ("a", ""), ("b", HASH), ("A", "plain password"), ("c", "x")):
        assert accounts.check(name, password) is None


def test_security_a6_a_name_that_nobody_has_costs_the_same_one_hash():
    hasher = CountingHasher()
    accounts = Accounts([account("a", "plain password")], hasher)
    for name in ("a", "nobody", ""):
        before = hasher.n_verified
        accounts.check(name, "wrong")
        assert hasher.n_verified == before + 1
    assert accounts.check("nobody", "the password of nobody") is None


def test_security_a7_two_spellings_of_a_letter_are_one_and_no_letter_is_cut_off():
    accounts = Accounts([account("a", "e\u0301" * 100)], CountingHasher())
    assert accounts.check("a", "\u00e9" * 100)
    assert not accounts.check("a", "\u00e9" * 99)


def test_security_a5_two_passwords_at_once_are_hashed_and_no_more():
    hasher = CountingHasher()
    accounts = Accounts([account("a", "plain password")], hasher)
    threads = [threading.Thread(target=accounts.check, args=("a", "x")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hasher.n_verified == 8
    assert hasher.most_at_once <= 2


def test_a_session_is_over_when_the_password_is_another():
    accounts = Accounts([], CountingHasher())
    assert accounts.stamp(account("a", "x")) != accounts.stamp(account("a", "y"))


@pytest.mark.parametrize(("typed", "status"), [("eleven char\n", 1), ("twelve chars\n", 0), ("\n", 1), ("", 1)])
def test_security_a7_the_tool_takes_twelve_characters(monkeypatch, capsys, typed, status):
    monkeypatch.setattr(module, "make_hasher", lambda: PasswordHasher(**QUICK))
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert hash_password() == status
    printed = capsys.readouterr().out.strip()
    found, problems = read_accounts(f"a:{printed}", "", "")
    assert (problems == []) is (status == 0)
    if status == 0:
        assert Accounts(found, CountingHasher()).check("a", "twelve chars")


def test_security_a5_a_hash_takes_time_that_a_login_bears():
    hasher = make_hasher()
    hashed = hasher.hash("a long enough password")
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        hasher.verify(hashed, "a long enough password")
        seconds.append(time.process_time() - begun)
    assert 0.02 < min(seconds) < 0.5
