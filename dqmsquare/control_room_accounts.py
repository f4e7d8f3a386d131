"""Who may enter the Control Room, as the settings say it: accounts, who may only read, front-end identities."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dqmsquare.config import Config

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
_HASH = re.compile(r"\$argon2id\$v=19\$m=[0-9]{1,7},t=[0-9]{1,3},p=[0-9]{1,3}\$[A-Za-z0-9+/]{8,}\$[A-Za-z0-9+/]{16,}")


@dataclass(frozen=True, slots=True)
class Account:
    """`secret` is a password, or its argon2id hash. `identities`: logins and DNs that may use it; empty: anybody's."""

    name: str
    secret: str = field(repr=False)
    may_change: bool
    identities: frozenset[str]

    @property
    def is_hashed(self) -> bool:
        """Whether the secret is a hash."""
        return self.secret.startswith("$argon2")


def read_accounts(usernames: str, viewers: str, ties: str) -> tuple[list[Account], list[str]]:
    """DQM_CR_USERNAMES, DQM_CR_VIEWERS and DQM_CR_DNS as accounts, and what is wrong with them, a sentence each."""
    problems: list[str] = []
    secrets: dict[str, str] = {}
    for number, entry in enumerate(_entries(usernames), 1):
        name, colon, secret = entry.partition(":")
        name = name.strip()
        if not colon or not secret or not _NAME.fullmatch(name):
            problems.append(f"DQM_CR_USERNAMES: entry {number} is not name:password or name:hash")
        elif name in secrets:
            problems.append(f"DQM_CR_USERNAMES: {name} is there twice")
        elif secret.startswith("$argon2") and not _HASH.fullmatch(secret.strip()):
            problems.append(f"DQM_CR_USERNAMES: the hash of {name} is not one of `python server.py hash-password`")
        else:
            secrets[name] = secret.strip() if secret.startswith("$argon2") else secret
    readers = {name.strip() for name in _entries(viewers)}
    tied = _tied(ties, problems)
    problems += [f"DQM_CR_VIEWERS: {name} is no account of DQM_CR_USERNAMES" for name in sorted(readers - set(secrets))]
    problems += [f"DQM_CR_DNS: {name} is no account of DQM_CR_USERNAMES" for name in sorted(set(tied) - set(secrets))]
    accounts = [
        Account(name, secret, name not in readers, frozenset(tied.get(name, ()))) for name, secret in secrets.items()
    ]
    return accounts, problems


def control_room_problems(config: "Config") -> list[str]:
    """What is wrong with the Control Room's settings for a server, a sentence each."""
    accounts, problems = read_accounts(config.dqm_cr_usernames, config.dqm_cr_viewers, config.dqm_cr_dns)
    if config.requires_identity and not config.cms_auth_hmac_file:
        problems.append("CMS_AUTH_HMAC_FILE is missing: CMS_AUTH_REQUIRE=require wants the front-end's key")
    if config.requires_identity:
        problems += [
            f"CMS_AUTH_HMAC_FILE: {path} is not there, or is empty"
            for path in config.cms_auth_hmac_file
            if not _has_content(path)
        ]
    elif config.dqm_cr_dns:
        problems.append("DQM_CR_DNS ties accounts to identities, and nothing verifies them: set CMS_AUTH_HMAC_FILE")
    if accounts and not config.development:
        problems += _problems_outside_development(config, accounts)
    return problems


def _problems_outside_development(config: "Config", accounts: Sequence[Account]) -> list[str]:
    problems = []
    plain = [account.name for account in accounts if not account.is_hashed]
    if plain and not config.dqm_cr_allow_plain_passwords:
        problems.append(
            f"DQM_CR_USERNAMES: the password of {', '.join(plain)} is not hashed: run "
            "`python server.py hash-password`, or set DQM_CR_ALLOW_PLAIN_PASSWORDS=1"
        )
    if not config.server_public_url:
        problems.append(
            "SERVER_PUBLIC_URL is missing: the Control Room takes commands from pages of that address alone"
        )
    if not config.cms_auth_hmac_file and not config.cms_auth_require and not is_loopback(config.server_bind):
        problems.append(
            "CMS_AUTH_REQUIRE is missing: name the front-end's key in CMS_AUTH_HMAC_FILE, or say off, and passwords "
            "alone open the Control Room"
        )
    return problems


def is_loopback(address: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    return address in {"localhost", "::1"} or address.startswith("127.")


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _entries(text: str) -> list[str]:
    """Between semicolons and line ends. Spaces at an entry's end may belong to a password."""
    return [entry.lstrip() for entry in re.split(r"[;\r\n]", text) if entry.strip()]


def _tied(ties: str, problems: list[str]) -> dict[str, set[str]]:
    """Account to logins and DNs. A DN has `=` itself: the last one counts."""
    tied: dict[str, set[str]] = {}
    for number, entry in enumerate(_entries(ties), 1):
        identity, _, name = entry.rpartition("=")
        if identity.strip() and _NAME.fullmatch(name.strip()):
            tied.setdefault(name.strip(), set()).add(identity.strip())
        else:
            problems.append(f"DQM_CR_DNS: entry {number} is not login=account or DN=account")
    return tied
