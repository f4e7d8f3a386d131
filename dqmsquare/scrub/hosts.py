"""Hosts: known ones become their labels, others a mark; users before an `@`."""

from collections.abc import Mapping

import re2

from dqmsquare.scrub.addresses import IPV4
from dqmsquare.scrub.pattern import Match, Pattern, Replacement
from dqmsquare.scrub.rule import HOST, USER, Rule, one_of

FAMILY = r"(?:[A-Za-z0-9]+-)?[Cc][0-9][A-Za-z][0-9]{2}[-_][0-9]{2}(?:[-_][0-9]{2})*"  # fu-c2f11-11-04, c2a06_05_01
_DOMAIN = r"(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+(?i:cms(?:\.cern\.ch)?|cern\.ch)\b"
_PORT = r"(?::[0-9]{1,5})?"
_PUBLIC = frozenset(
    name + b".cern.ch"
    for name in b"www home cms cmsweb cmssdt cms-talk.web cmsdoxygen.web gitlab root.web twiki indico".split()
)


def family_replacement(labels: Mapping[bytes, bytes]) -> Replacement:
    """For names of the machine families. `labels` by short name in lower case, as UTF-8."""

    def family(match: Match) -> bytes:
        text = match[0]
        name = text.partition(b":")[0].lower().partition(b".")[0]
        if name not in labels and name.startswith(b"host"):  # DQM_..._hostfu-c2f11-11-02_pid00041805
            return text[:4] + labels.get(name[4:], HOST)
        return labels.get(name, HOST)

    return family


def host_rules(labels: Mapping[bytes, bytes]) -> tuple[Rule, ...]:
    """`labels` as for `family_replacement`."""
    is_family = Pattern(FAMILY)
    others = sorted((name for name in labels if not is_family.is_all_of(name)), key=len, reverse=True)
    return (
        Rule(rf"\b[a-z_][a-z0-9_.-]*(@{one_of(FAMILY, _DOMAIN, IPV4)})", lambda match: USER + match[1]),
        *((_named_hosts(others, labels),) if others else ()),
        Rule(rf"{FAMILY}(?:\.cms)?(?:\.cern\.ch)?{_PORT}", family_replacement(labels), common=True),
        Rule(_DOMAIN + _PORT, _domain),
    )


def _named_hosts(names: list[bytes], labels: Mapping[bytes, bytes]) -> Rule:
    """Known hosts of no family. A label may begin with the name it stands for: dqm-x-.. is no hit."""

    def named(match: Match) -> bytes | None:
        after = match.string[match.end : match.end + 3]
        if after[:1].isalnum() or after == b"-..":
            return None
        return match[1] + labels[match[2].lower()]

    either = "|".join(re2.escape(name.decode()) for name in names)
    return Rule(rf"(?i)(^|[^a-z0-9.-]|[_-]host)({either})(?:\.cms)?{_PORT}", named)


def _domain(match: Match) -> bytes | None:
    name = match[0].partition(b":")[0].lower()
    return None if name in _PUBLIC else HOST
