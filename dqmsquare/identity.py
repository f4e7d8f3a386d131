"""What stands for a host, a job or an attempt outside Point 5: keyed hashes to find by, labels to read."""

import base64
import hashlib
import hmac


def short_host_name(name: str) -> str:
    """Cluster status adds `.cms` to the names that documents have without it.

    >>> short_host_name("fu-c2f11-11-04.cms")
    'fu-c2f11-11-04'
    """
    return name.strip().lower().removesuffix(".cms")


def host_label(name: str) -> str:
    """The label that people at P5 know; it may repeat, so nothing is found by it.

    >>> host_label("dqmfu-c2b03-45-01"), host_label("fu-c2f11-11-04.cms"), host_label("lonely")
    ('dqmfu-c2b03-..', 'fu..04', 'lonely')
    """
    parts = short_host_name(name).split("-")
    if len(parts) == 1:
        return parts[0]
    if name.strip().lower().startswith("dqm"):
        return f"{parts[0]}-{parts[1]}-.."
    return f"{parts[0]}..{parts[-1]}"


class PublicIds:
    """Makes the public ids of one cluster. `key` is the secret PUBLIC_ID_KEY, at least 32 bytes."""

    def __init__(self, key: bytes, cluster: str) -> None:
        self._keyed = hmac.new(key, digestmod=hashlib.sha256)
        self._cluster = cluster

    def _hash(self, text: str) -> str:
        keyed = self._keyed.copy()  # hmac.digest would let other threads run at each of a document's ids
        keyed.update(text.encode("utf-8", "surrogatepass"))
        return base64.b32encode(keyed.digest()[:10]).decode("ascii").lower()

    def document(self, document_id: str) -> str:
        """16 characters of base32 for a document's `_id`; for a job this is the job's public id."""
        return self._hash(f"job|{self._cluster}|{document_id}")

    def host(self, name: str) -> str:
        """16 characters of base32 for a host, the same with and without `.cms`."""
        return self._hash(f"host|{short_host_name(name)}")

    def attempt(self, run_unique_key: str) -> str:
        """Groups the jobs of one start of a run; stands for hltd's runUniqueKey, which must not leave."""
        return self._hash(f"attempt|{run_unique_key}")

    def revision(self, document_id: str, rev: int, timestamp: float | None) -> str:
        """Tells whether the document at a revision is still the one that was passed there."""
        return self._hash(f"revision|{self._cluster}|{document_id}|{rev}|{timestamp!r}")


def key_fingerprint(key: bytes) -> str:
    """What the database keeps of the key, to notice a process that has another one."""
    return hmac.digest(key, b"fingerprint", hashlib.sha256).hex()[:32]
