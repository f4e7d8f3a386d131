"""The table of commands: what each may be told, who may give it, whether it changes something.

Pages, `/cr/exe`, the audit and docs/control_room.md are made from it; there is no second list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dqmsquare.errors import CommandRefused
from dqmsquare.server.control_room import grammar
from dqmsquare.server.control_room.grammar import Grammar, Known


class Who(StrEnum):
    """Who may give a command."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    GRABBER = "the grabber alone"
    NOBODY = "nobody: DQM² has no such command"


class Listed(StrEnum):
    """A list of DQM²'s that a value must be on, as DQM² gave it not longer ago than a minute."""

    CLIENTS = "clients"
    RUNS = "runs"


class Derived(StrEnum):
    """What we add ourselves, so that none of DQM²'s dangerous defaults is ever used."""

    PLAYBACK = "playback"  # 0 or 1, by the machine's cluster; DQM² takes anything but 1 for production
    SIMULATOR_HOST = "host"  # the machine that plays runs again, by its short name


@dataclass(frozen=True, slots=True)
class Parameter:
    """`is_sent`: whether DQM² gets it."""

    name: str
    grammar: Grammar
    listed: Listed | None = None
    is_required: bool = True
    is_sent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`what` is its name in `/cr/exe`, `label` the button's words, `expected` what DQM² answers when it is done."""

    what: str
    who: Who
    label: str
    changes: bool = False
    parameters: tuple[Parameter, ...] = ()
    derived: tuple[Derived, ...] = ()
    is_local: bool = False
    expected: str = ""

    def takes_machine(self) -> bool:
        """Whether it is about one machine that its parameters name."""
        return any(parameter.name == "host" for parameter in self.parameters)

    def read(self, fields: Mapping[str, str], known: Known) -> dict[str, str]:
        """The parameters as we write them, in the table's order. Raises CommandRefused for anything else."""
        names = {parameter.name for parameter in self.parameters}
        if any(name not in names for name in fields):
            raise CommandRefused(f"{self.what} takes {', '.join(sorted(names)) or 'no parameters'} and nothing else")
        given = (parameter for parameter in self.parameters if parameter.is_required or parameter.name in fields)
        return {parameter.name: self._value(parameter, fields, known) for parameter in given}

    def machine(self, values: Mapping[str, str], known: Known) -> str | None:
        """The machine that it acts on, by its short name."""
        if Derived.SIMULATOR_HOST in self.derived:
            return known.simulator_host
        return values.get("host")

    def sent(self, values: Mapping[str, str], known: Known) -> dict[str, str]:
        """What DQM² is told: values that `read` gave, and what we add."""
        pairs = {"what": self.what}
        pairs |= {one.name: values[one.name] for one in self.parameters if one.is_sent and one.name in values}
        if Derived.SIMULATOR_HOST in self.derived:
            pairs["host"] = known.simulator_host
        if Derived.PLAYBACK in self.derived:
            pairs["playback"] = "1" if known.clusters[values["host"]] == "playback" else "0"
        return pairs

    def _value(self, parameter: Parameter, fields: Mapping[str, str], known: Known) -> str:
        if parameter.name not in fields:
            raise CommandRefused(f"{parameter.name} is missing: it is {parameter.grammar.words}")
        value = parameter.grammar.canonical(fields[parameter.name], known)
        if value is None:
            raise CommandRefused(f"{parameter.name} must be {parameter.grammar.words}")
        return value


_HOST = Parameter("host", grammar.MACHINE)
_KIND = Parameter("kind", grammar.CLUSTER_KIND, is_required=False)
_FORMAT = Parameter("format", grammar.PRINTABLE, is_required=False, is_sent=False)
_LISTS = (_KIND, _FORMAT)

_TABLE = (
    Command(what="get_cluster_status", who=Who.GRABBER, label="cluster status",
            parameters=(Parameter("cluster", grammar.CLUSTER_KIND),)),
    Command(what="get_dqm_machines", who=Who.VIEWER, label="machines", parameters=_LISTS),
    Command(what="get_hltd_versions", who=Who.VIEWER, label="hltd versions", parameters=_LISTS),
    Command(what="get_fff_versions", who=Who.VIEWER, label="fff versions", parameters=_LISTS),
    Command(what="get_cmssw_info", who=Who.VIEWER, label="CMSSW", parameters=_LISTS),
    Command(what="get_simulator_config", who=Who.VIEWER, label="playback configuration",
            derived=(Derived.SIMULATOR_HOST,)),
    Command(what="get_simulator_runs", who=Who.VIEWER, label="playback runs", derived=(Derived.SIMULATOR_HOST,)),
    Command(what="get_simulator_run_keys", who=Who.VIEWER, label="playback run keys", is_local=True),
    Command(what="get_dqm_clients", who=Who.VIEWER, label="clients", parameters=(_HOST,), derived=(Derived.PLAYBACK,)),
    Command(what="get_hltd_logs", who=Who.VIEWER, label="hltd log", parameters=(_HOST,)),
    Command(what="get_fff_logs", who=Who.VIEWER, label="fff log", parameters=(_HOST,)),
    Command(what="change_dqm_client", who=Who.OPERATOR, label="switch client", changes=True, expected="Ok",
            parameters=(_HOST, Parameter("client", grammar.CLIENT, Listed.CLIENTS), Parameter("state", grammar.SWITCH)),
            derived=(Derived.PLAYBACK,)),
    Command(what="restart_hltd", who=Who.OPERATOR, label="restart hltd", changes=True, expected="Ok",
            parameters=(_HOST,)),
    Command(what="restart_fff", who=Who.OPERATOR, label="restart fff", changes=True, expected="Ok",
            parameters=(_HOST,)),
    Command(what="start_playback_run", who=Who.OPERATOR, label="start playback run", changes=True,
            expected="start_playback_run Ok", derived=(Derived.SIMULATOR_HOST,),
            parameters=(Parameter("run_number", grammar.RUN, Listed.RUNS), Parameter("run_key", grammar.RUN_KEY),
                        Parameter("number_of_ls", grammar.LUMIS))),
    Command(what="copy_production_runs", who=Who.NOBODY, label="copy production runs"),
    Command(what="get_production_runs", who=Who.NOBODY, label="production runs"),
)  # fmt: skip

COMMANDS: Mapping[str, Command] = {command.what: command for command in _TABLE}


def as_table() -> str:
    """The table in Markdown, for docs/control_room.md."""
    rows = ["| what | who | changes something | parameters | added by the mirror |", "|---|---|---|---|---|"]
    rows += [
        f"| `{one.what}` | {one.who} | {'yes: POST' if one.changes else 'no'} | {_parameters(one)} | {_added(one)} |"
        for one in _TABLE
    ]
    return "\n".join(rows)


def _parameters(command: Command) -> str:
    return "; ".join(map(_parameter, command.parameters)) or "–"


def _parameter(parameter: Parameter) -> str:
    notes = [
        parameter.grammar.words,
        f"on the list of {parameter.listed} of the last minute" if parameter.listed else "",
        "" if parameter.is_required else "may be left out",
        "" if parameter.is_sent else "for the mirror: printable text",
    ]
    return f"`{parameter.name}`: " + ", ".join(note for note in notes if note)


def _added(command: Command) -> str:
    words = {Derived.PLAYBACK: "`playback` by the machine's cluster", Derived.SIMULATOR_HOST: "`host`"}
    return ", ".join(words[one] for one in command.derived) or ("answered here" if command.is_local else "–")
