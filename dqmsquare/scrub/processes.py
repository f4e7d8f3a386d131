"""Numbers of processes."""

from dqmsquare.scrub.pattern import Match
from dqmsquare.scrub.rule import PID, Rule

_NAMED = (
    r"(?i)(p?pid[\"']?(?: is)?[ \t]*[:=#]?[ \t]*|\bprocess id:?[ \t]+|\bLWP[ \t]+|\battaching to process[ \t]+|/proc/)"
    r"([0-9]+)"
)
_DAEMON = r"(\b(?:DQMNet|hltd|fff_[a-z]+|sshd|systemd|kernel|cmsRun))\[[0-9]+\]"
_DIM_SERVER = r"(\()[0-9]+(\)@)"  # CmsBeamSpotServer(42714)@host


def _named(match: Match) -> bytes | None:
    prefix = match[1]
    before = match.string[match.start - 1 : match.start] if match.start else b""
    if before.isalpha() and prefix[:1].lower() == b"p":
        return None  # "rapid 5"
    return PID if prefix.lower() == b"pid" else prefix + PID


PROCESSES = (
    Rule(_NAMED, _named),
    Rule(_DAEMON, lambda match: match[1] + PID),
    Rule(_DIM_SERVER, lambda match: match[1] + PID + match[2]),
)
