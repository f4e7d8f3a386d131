"""Paths of P5's machines, of which only well-known file names stay; and the users whose homes they name."""

from functools import lru_cache
from itertools import chain

from dqmsquare.scrub.hosts import FAMILY
from dqmsquare.scrub.pattern import Match, Pattern, Replacement
from dqmsquare.scrub.rule import PATH, USER, Rule, one_of

MAX_USER_NAMES = 64

_ROOT = one_of("/fff", "/cmsnfs[a-z0-9_]*", "/dqmdata", "/home", "/nfshome[0-9]*", "/afs", "/eos", "/globalscratch")
_COMMON_ROOT = "/(?:tmp|var|opt|etc|data|root|run|mnt|srv|scratch|dev/shm)/"  # relative paths have these words too
_REST = r"(?:[^\s\"'<>|;,:()\[\]{}`]|\[removed\]|\[key\])*"
_PATH = one_of(
    rf"{_ROOT}/{_REST}",
    rf"(?:^|[^A-Za-z0-9_.-]|-[A-Z])(?:{_ROOT}\b(?:/{_REST})?|{_COMMON_ROOT}{_REST})",
    rf"(?:^|[\s\"'=:(])~[a-z][a-z0-9_-]+/{_REST}",
)
_KEPT_NAME = one_of(
    r"ramdisk",
    r"[A-Za-z0-9_-]{1,80}_cfg\.py",
    r"[A-Za-z0-9_+-]{1,80}\.(?:py|cc|cpp|cxx|c|cu|h|hh|hpp|icc|so)",
    r"run[0-9]{1,9}(?:_ls[0-9]{1,6}(?:_(?:EoR|BoR|EoLS|BoLS|stream[A-Za-z0-9]{1,40}(?:_[A-Za-z0-9-]{1,40})?))?)?"
    r"(?:\.[a-z]{1,8})?",
    r"DQM_V[0-9]{1,6}_[A-Za-z0-9]{1,40}_R[0-9]{1,10}\.(?:root|pb|dat)(?:\.ls[0-9]{1,10}_host[a-z0-9-]+_pid[0-9]+)?",
)
# All after one slash, which RE2 looks for faster than for anything else.
_homes = Pattern(
    r"/(?:(?:home|nfshome[0-9]*)/([A-Za-z0-9_.-]+)"
    r"|afs/cern\.ch/(?:user|work)/[a-z]/([A-Za-z0-9_.-]+)"
    r"|eos/(?:user/[a-z]|home-[a-z])/([A-Za-z0-9_.-]+))"
)
_tildes = Pattern(r"(?:^|[\s\"'=:(])~([a-z][a-z0-9_-]+)/")
_NOBODY = frozenset(  # folders that are nobody's, and what marks are made of
    b"address cmsrun data email host local online path playback production public ramdisk removed shared test user"
    b" users work".split()
)


def path_rule(family: Replacement) -> Rule:
    """Cuts a path down to its mark and, if it is a well-known one, the file's name, with `family` for a host in it."""
    is_kept, host = Pattern(_KEPT_NAME), Pattern(FAMILY)

    def cut(text: bytes) -> bytes:
        slash = text.index(b"/")
        tilde = text.find(b"~", 0, slash)
        start = slash if tilde < 0 else tilde
        path = text[start:].rstrip(b".!?")
        name = path.rpartition(b"/")[2]
        shown = PATH + b"/" + host.replaced(name, family)[0] if is_kept.is_all_of(name) else PATH
        return text[:start] + shown + text[start + len(path) :]

    return Rule(_PATH, lambda match: cut(match[0]), common=True)


def user_names(text: bytes) -> frozenset[bytes]:
    """Whose homes the text names. Raises ValueError where they are too many to be looked for."""
    names: set[bytes] = set()
    tildes = _tildes.find_all(text) if b"~" in text else ()
    for match in chain(_homes.find_all(text), tildes):
        name = next(filter(None, match.groups())).rstrip(b".-")
        if len(name) >= 4 and name.lower() not in _NOBODY:
            names.add(name)
            if len(names) > MAX_USER_NAMES:
                raise ValueError("too many user names")
    return frozenset(names)


@lru_cache(maxsize=64)
def users_rule(names: frozenset[bytes]) -> tuple[Pattern, Replacement]:
    """Finds these users wherever their names stand alone."""

    def word(match: Match) -> bytes | None:
        is_alone = not match.string[match.end : match.end + 1].isalnum()
        return match[1] + USER if is_alone else None

    longest_first = sorted((name.decode("ascii") for name in names), key=lambda name: (-len(name), name))
    either = "|".join(name.replace(".", r"\.") for name in longest_first)  # of letters, digits, _ . - only
    return Pattern(rf"(^|[^A-Za-z0-9])({either})"), word
