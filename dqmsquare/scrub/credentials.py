"""Keys, tokens, passwords: by their own shape, or by the name they are assigned to."""

from dqmsquare.scrub.pattern import Match
from dqmsquare.scrub.rule import KEY, REMOVED, Rule, after_first_group, always, one_of

# A key in PEM, as lines, as JSON or as a list's repr; with its end cut off, or with its start.
_GAP = r"(?:\s|\\[nr]|[\"',])"
_LONG = r"[A-Za-z0-9+/=]{16,}"
_PEM_NAME = r"[A-Z0-9 ]{1,40}-----"
_PEM_HEADERS = rf"(?:{_GAP}*(?:Proc-Type|DEK-Info|Version|Comment|Hash):[^\n\\]*)*"
_PEM_END = rf"(?:{_GAP}*[A-Za-z0-9+/=]{{1,15}})?{_GAP}*-----END {_PEM_NAME}"
_PEM = one_of(
    rf"-----BEGIN {_PEM_NAME}{_PEM_HEADERS}(?:{_GAP}*{_LONG})*(?:{_PEM_END})?",
    rf"(?:{_LONG}{_GAP}+)*{_PEM_END}",
)
_TOKENS = one_of(
    r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?",  # a JSON Web Token
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_[A-Za-z0-9_]{20,}",
    r"glpat-[A-Za-z0-9_-]{16,}",
    r"xox[abeprs]-[A-Za-z0-9-]{10,}",
    r"AKIA[0-9A-Z]{16}",
    r"ssh-(?:rsa|dss|ed25519) [A-Za-z0-9+/=]{30,}",
)
_UUID = r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # runUniqueKey's, wherever it stands

_QUOTE = r"(?:\\?[\"'])?"
_ASSIGNS = rf"{_QUOTE}[ \t]*(?:=>|:=|[:=])[ \t]*"
_SECRET = one_of(
    *("password", "passwd", "passphrase", "secret", "credential", "cookie", "authorization"),
    *("api[_-]?key", "access[_-]?key", "private[_-]?key", "x509_user_proxy", "run_?unique_?key"),
    *("(?:https?|ftp|all|no|socks)_proxy", "(?:proxy|server)url"),
)
_OPTION = one_of("password", "passwd", "passphrase", "secret", "token", "api-?key")
_NAMED = one_of(
    rf"[a-z0-9_.-]*{_SECRET}[a-z0-9_-]*{_ASSIGNS}",
    # CMSSW says "getByToken: Found zero products": a colon counts only after the word by itself, or in quotes
    rf"(?:^|[^a-z])tokens?(?:_[a-z0-9_]+)?{_ASSIGNS}",
    r"[\"'][a-z0-9_.-]*token[a-z0-9_-]*\\?[\"'][ \t]*:[ \t]*",
    rf"[a-z0-9_.-]*token[a-z0-9_-]*{_QUOTE}[ \t]*=[ \t]*",
    r"[\"'](?:pw|pwd|pass)[\"'][ \t]*:[ \t]*",
    rf"(?-i:[A-Z0-9]_(?:PASS|PWD){_ASSIGNS}|\b(?:USER|LOGNAME|SUDO_USER){_QUOTE}[:=][ \t]*)",
    rf"\b(?:user|user_?name|login|account){_QUOTE}=",
    rf"--[a-z-]*{_OPTION}(?:[\"'],)?[ \t]+",
    r"\b(?:password|passphrase) is[ \t]+",
)

# No value starts as the mark does, so that [removed] is not found again.
_DOUBLE_QUOTED = r"\"(?:[^\"\n\[\\]|\\[^\"\n]|\[[^\"\nr])[^\"\n]*"
_SINGLE_QUOTED = r"'(?:[^'\n\[]|\[[^'\nr])[^'\n]*"
_BARE_START = r"(?:[^\s\"',;:=&()\[\]{}\\]|\\[^\s\"']|\[[^r\s\"'])"
_VALUE = one_of(
    rf"\\?{_DOUBLE_QUOTED}\"?",
    rf"{_SINGLE_QUOTED}'?",
    rf"[a-z_.]*\([ \t]*(?:{_DOUBLE_QUOTED}\"|{_SINGLE_QUOTED}')",  # cms.untracked.string('...')
    rf"(?:bearer|basic|digest|negotiate)[ \t]+{_BARE_START}[^\s\"',;]*",
    rf"{_BARE_START}[^\s\"',;&)\]}}]*",
)
_HEADER = r"(?i)(\b(?:set-cookie|cookie|(?:proxy-)?authorization)[ \t]*:[ \t]*)(?:[^\s\"'\[{(]|\[[^r\n\"'])[^\n\"']*"
_URL_USER = r"(://)(?:[^\s/@\"'<>\[]|\[[^r\s/@])[^\s/@\"'<>]*@"
_NEWLINE = 10


def _named_secret(match: Match) -> bytes | None:
    name, value = match[1], match[2]
    quote_end = match.end + 1
    if value.endswith(b"(") and match.string.startswith(REMOVED, quote_end) and match.string[match.end] != _NEWLINE:
        return None  # cms.string('[removed]')
    for quote in (b'\\"', b'"', b"'"):
        if value.startswith(quote):
            return name + quote + REMOVED + (quote if value.endswith(quote) else b"")
    if value.endswith((b'"', b"'")):
        opening, quote, _ = value.partition(value[-1:])
        return name + opening + quote + REMOVED + quote
    return name + REMOVED


PEM = Rule(_PEM, always(KEY))  # the only one that reads beyond the end of a line
CREDENTIALS = (
    Rule(_TOKENS, always(KEY)),
    Rule(_HEADER, after_first_group(REMOVED)),
    Rule(rf"(?i)({_NAMED})({_VALUE})", _named_secret),
    Rule(_URL_USER, after_first_group(REMOVED + b"@")),
    Rule(_UUID, always(REMOVED)),
)
