"""The thread that empties the webhook's outbox, in whichever process is in charge of that."""

import logging
import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from dqmsquare.config import Config
from dqmsquare.errors import StoreUnavailable, WebhookFailed
from dqmsquare.storage.engine import Database
from dqmsquare.storage.outbox import Outbox
from dqmsquare.webhook import Webhook, message

_logger = logging.getLogger(__name__)
_LOOK_SECONDS = 5.0
_FIRST_WAIT_SECONDS = 1.0
_JITTER = 0.2
_CLAIM_MARGIN_SECONDS = 5.0  # a message is nobody else's for the webhook's deadline and so long

InCharge = Callable[[], AbstractContextManager[bool]]


class AlarmSender(threading.Thread):
    """Runs until `stop`. `in_charge` says, for the length of a block, whether this process is to send."""

    def __init__(self, database: Database, config: Config, in_charge: InCharge) -> None:
        super().__init__(name=f"alarm sender {database.cluster}", daemon=True)
        self._outbox = Outbox(
            database,
            first_wait_seconds=config.webhook_deadline_seconds + _CLAIM_MARGIN_SECONDS,
            longest_wait_seconds=config.webhook_backoff_max_seconds,
        )
        self._webhook = Webhook(
            config.alert_webhook_url,
            deadline_seconds=config.webhook_deadline_seconds,
            ca_bundle=config.ca_bundle,
        )
        self._base_url = config.server_public_url and config.server_public_url + config.server_url_prefix
        self._backoff_max_seconds = config.webhook_backoff_max_seconds
        self._in_charge = in_charge
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._n_failures = 0

    def stop(self) -> None:
        """Ends the thread after the message it is at."""
        self._stopping.set()
        self._woken.set()

    def cut_short(self) -> None:
        """Ends the message that is under way."""
        self._webhook.cut_short()

    def wake(self) -> None:
        """To be called when something was queued."""
        self._woken.set()

    def run(self) -> None:
        """Sends until `stop`."""
        while not self._stopping.is_set():
            quiet_seconds = self._guarded_round()
            if quiet_seconds:
                self._stopping.wait(quiet_seconds)
            else:
                self._woken.wait(_LOOK_SECONDS)
                self._woken.clear()

    def _guarded_round(self) -> float:
        """Sends what is due; returns the seconds to stay quiet for after a failure."""
        try:
            with self._in_charge() as is_ours:
                if is_ours:
                    self.send_due()
        except WebhookFailed as error:
            return self._failed(error)
        except StoreUnavailable as error:
            _logger.debug("%s: %s", self.name, error)
        except Exception:  # whatever it is, the messages after this one are still to go out
            _logger.exception("%s: unexpected error", self.name)
        return 0.0

    def send_due(self) -> None:
        """Sends all that is due. Raises WebhookFailed with the first that does not get through, or StoreUnavailable."""
        while not self._stopping.is_set() and (notice := self._outbox.claim()) is not None:
            self._webhook.send(message(notice, self._base_url))
            self._outbox.mark_sent(notice.key)
            if self._n_failures:
                _logger.info("%s: the webhook takes messages again", self.name)
                self._n_failures = 0

    def _failed(self, error: WebhookFailed) -> float:
        if not self._n_failures:
            _logger.warning("%s: the webhook does not take messages: %s", self.name, error)
        growing = _FIRST_WAIT_SECONDS * float(2 ** min(self._n_failures, 16))
        self._n_failures += 1
        wait = max(min(growing, self._backoff_max_seconds), error.retry_after_seconds or 0.0)
        return wait * random.uniform(1 - _JITTER, 1 + _JITTER)
