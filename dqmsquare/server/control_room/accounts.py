"""Accounts and their passwords: argon2id, the same work for a name that exists and for one that does not."""

import getpass
import hashlib
import sys
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dqmsquare.control_room_accounts import Account
from dqmsquare.errors import CommandRefused

PASSWORD_MIN = 12  # characters (ASVS 2.1.1)
_HASHES_AT_ONCE = 2  # each takes 46 MiB and 0.1 to 0.3 s of a core
_WAIT_SECONDS = 10.0


def make_hasher() -> PasswordHasher:
    """Argon2id with parameters of OWASP's list, a memory of 46 MiB."""
    return PasswordHasher(time_cost=2, memory_cost=47_104, parallelism=1)


class Accounts:
    """The accounts of the settings. Passwords that stand there plainly are hashed at once and forgotten."""

    def __init__(self, accounts: Sequence[Account], hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or make_hasher()
        self._accounts = {account.name: account for account in accounts}
        self._hashes = {account.name: self._hash_of(account) for account in accounts}
        self._nobodys = self._hasher.hash("the password of nobody")
        self._places = threading.BoundedSemaphore(_HASHES_AT_ONCE)

    def __len__(self) -> int:
        return len(self._accounts)

    def find(self, name: str) -> Account | None:
        """The account with this very name."""
        return self._accounts.get(name)

    def check(self, name: str, password: str) -> Account | None:
        """The account, if the password is its own. One hash is computed whatever the name.

        Raises CommandRefused (503) where too many others wait for theirs.
        """
        with self._place():
            is_right = self._verify(self._hashes.get(name, self._nobodys), password)
        return self._accounts.get(name) if is_right else None

    def stamp(self, account: Account) -> str:
        """Tells whether the account's password is still the one a session was opened with."""
        return hashlib.sha256(f"{account.name}:{account.secret}".encode()).hexdigest()[:16]

    def _hash_of(self, account: Account) -> str:
        return account.secret if account.is_hashed else self._hasher.hash(normalised(account.secret))

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, normalised(password))
        except (VerificationError, InvalidHashError):
            return False

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=_WAIT_SECONDS):
            raise CommandRefused("Too many people log in at once: try again in a moment.", status=503)
        try:
            yield
        finally:
            self._places.release()


def normalised(password: str) -> str:
    """One spelling for what two keyboards write differently."""
    return unicodedata.normalize("NFKC", password)


def hash_password() -> int:
    """Asks for a password, or reads it from standard input, and prints its hash. Returns the exit status."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            print("They are not the same.", file=sys.stderr)  # noqa: T201  (a command for people)
            return 1
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(normalised(password)) < PASSWORD_MIN:
        print(f"A password has at least {PASSWORD_MIN} characters.", file=sys.stderr)  # noqa: T201  (likewise)
        return 1
    print(make_hasher().hash(normalised(password)))  # noqa: T201  (likewise)
    return 0
