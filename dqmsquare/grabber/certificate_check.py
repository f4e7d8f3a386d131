"""Looks at the grid certificate at the start and every hour; what is wrong with it, or soon will be, is logged."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dqmsquare.config import Config
from dqmsquare.dqm2_http import certificate_expiry, check_certificate
from dqmsquare.errors import ConfigError

_logger = logging.getLogger(__name__)
_EVERY_SECONDS = 3600.0
_WARNED_BEFORE = timedelta(days=21)


class CertificateCheck:
    """To be called now and then; does its work once an hour. `monotonic` is in seconds, `now` aware."""

    def __init__(
        self, config: Config, monotonic: Callable[[], float], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._config = config
        self._monotonic = monotonic
        self._now = now
        self._due = monotonic()

    def __call__(self) -> None:
        if self._monotonic() < self._due:
            return
        self._due = self._monotonic() + _EVERY_SECONDS
        problems = check_certificate(self._config, self._now())
        for problem in problems or self._soon():
            _logger.warning("%s", problem)

    def _soon(self) -> list[str]:
        if not self._config.cmsweb_frontend_proxy_url.startswith("https://"):
            return []
        try:
            left = certificate_expiry(self._config.server_grid_cert_path) - self._now()
        except ConfigError as error:  # replaced while it was looked at
            return list(error.problems)
        return [f"the grid certificate expires in {left.days} days: renew it"] if left < _WARNED_BEFORE else []
