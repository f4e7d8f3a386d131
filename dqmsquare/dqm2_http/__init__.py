"""How the mirror speaks HTTP to DQM²; used by the grabber and by the Control Room's relay, which hand in Config."""

from dqmsquare.dqm2_http.answers import Body
from dqmsquare.dqm2_http.certificate import certificate_expiry, check_certificate
from dqmsquare.dqm2_http.session import Dqm2Session
from dqmsquare.dqm2_http.watchdog import Watchdog

__all__ = ["Body", "Dqm2Session", "Watchdog", "certificate_expiry", "check_certificate"]
