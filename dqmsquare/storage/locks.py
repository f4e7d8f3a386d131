"""The advisory locks, all in one place, so that no two of them meet by accident."""

import hashlib

from sqlalchemy import Connection, Function, func, select

UPGRADE = 0x64716D_0001  # "dqm" and a number of ours
PUBLISH = 0x64716D_0002  # held from a batch's summaries to its commit: what follows it is visible in order


def host_lock(host_id: str) -> int:
    """The lock of whoever writes this host."""
    return _named(f"host|{host_id}")


def machine_lock(host_id: str) -> int:
    """The lock under which it is decided whether a command on this machine may be sent."""
    return _named(f"machine|{host_id}")


def cluster_lock(cluster: str) -> int:
    """The lock of whoever asks for cluster status and clears out."""
    return _named(f"cluster|{cluster}")


def _named(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def lock_for_transaction(connection: Connection, key: int) -> None:
    """Waits for the lock; it is given back with the transaction's end."""
    connection.execute(select(func.pg_advisory_xact_lock(key)))


def try_lock_for_session(connection: Connection, key: int) -> bool:
    """Whether this connection holds the lock now; it does until it is closed or `unlock` gives it back."""
    attempt: Function[bool] = func.pg_try_advisory_lock(key)
    return bool(connection.execute(select(attempt)).scalar_one())
