"""The grid certificate that DQM² knows us by: a TLS context with it, when it expires, and what may be wrong with it."""

import functools
import logging
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import certifi
import urllib3
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dqmsquare.config import Config
from dqmsquare.errors import ConfigError

CERTIFICATE = "SERVER_GRID_CERT_PATH"
KEY = "SERVER_GRID_KEY_PATH"

log = logging.getLogger(__name__)


def uses_tls(config: Config) -> bool:
    """Whether DQM² is asked over https; without it neither certificate nor authorities matter."""
    return config.cmsweb_frontend_proxy_url.startswith("https://")


def certificate_expiry(path: Path) -> datetime:
    """When the PEM file's certificate expires; of a chain, the first of its certificates to do so.

    Raises ConfigError if there is no readable certificate.
    """
    return min(certificate.not_valid_after_utc for certificate in _certificates(path))


def check_certificate(config: Config, now: datetime | None = None) -> list[str]:
    """What is wrong with the pair of files, a line each: missing, unreadable, expired, not yet valid, encrypted, or
    not a pair. Empty if nothing is, or if DQM² is not asked over https.
    """
    if not uses_tls(config):
        return []
    return list(_problems(config, now or datetime.now(UTC)))


def tls_context(config: Config) -> ssl.SSLContext:
    """Verifies DQM²'s certificate by CA_BUNDLE or the usual authorities, and shows ours.

    Raises ConfigError, with the problems by the names of their settings, if one of the files cannot be used.
    """
    context = _verifying_context(config.ca_bundle) if config.tls_verify else _trusting_context()
    try:
        context.load_cert_chain(config.server_grid_cert_path, config.server_grid_key_path, password=_no_passphrase)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigError(check_certificate(config) or [f"{CERTIFICATE}: it cannot be used"]) from error
    return context


def _verifying_context(bundle: Path | None) -> ssl.SSLContext:
    try:
        if bundle is not None and bundle.is_dir():
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle or certifi.where())
    except OSError as error:
        raise ConfigError(["CA_BUNDLE: it cannot be read; it takes a PEM file of authorities"]) from error


def _trusting_context() -> ssl.SSLContext:
    _warn_that_nothing_is_verified()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@functools.cache  # once per process, not once per host
def _warn_that_nothing_is_verified() -> None:
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # it would come with every request
    log.warning(
        "TLS_VERIFY=0: DQM²'s certificate is NOT verified; whoever answers gets our cookie. Never outside tests."
    )


def _no_passphrase() -> str:
    # Without this OpenSSL would ask on the terminal, and the process would wait there for ever.
    raise ValueError("the key is encrypted")


def _problems(config: Config, now: datetime) -> Iterator[str]:
    certificates: list[x509.Certificate] = []
    try:
        certificates = _certificates(config.server_grid_cert_path)
    except ConfigError as error:
        yield from error.problems
    for certificate in certificates:
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if last <= now:
            yield f"{CERTIFICATE}: the certificate expired on {last:%Y-%m-%d %H:%M} UTC"
        if first > now:
            yield f"{CERTIFICATE}: the certificate is valid only from {first:%Y-%m-%d %H:%M} UTC"
    try:
        key = _private_key(config.server_grid_key_path)
    except ConfigError as error:
        yield from error.problems
        return
    if certificates and certificates[0].public_key() != key.public_key():
        yield f"{KEY}: the key is not the one that belongs to the certificate"


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ConfigError([f"{CERTIFICATE}: the file cannot be read ({type(error).__name__})"]) from error
    except ValueError as error:
        raise ConfigError([f"{CERTIFICATE}: there is no certificate in PEM form in the file"]) from error


def _private_key(path: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigError([f"{KEY}: the file cannot be read ({type(error).__name__})"]) from error
    except TypeError as error:  # what cryptography raises for a passphrase that is needed and not given
        raise ConfigError([f"{KEY}: the key is encrypted; it takes a key without passphrase"]) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError([f"{KEY}: there is no private key in PEM form in the file"]) from error
