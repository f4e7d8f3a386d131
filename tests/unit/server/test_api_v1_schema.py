"""What the API publishes of itself, and what it lets in by it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import pytest

from dqmsquare.server.api_v1.openapi import openapi_document
from dqmsquare.server.api_v1.parameters import Question, RunNumber, matches, read_query
from dqmsquare.server.api_v1.runs import RunsQuestion, StateCounts
from dqmsquare.server.api_v1.schema import components, schema_of
from dqmsquare.server.responses import Problem
from dqmsquare.states import State
from tests.unit.server.server_fakes import make_site


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A part."""

    at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Outer:
    """A whole."""

    size_bytes: Annotated[int | None, "Bytes."]
    kind: Literal["a", "b"] | None
    inner: Inner | None
    inners: Annotated[tuple[Inner, ...], "Many."]


def test_a_dataclass_is_a_closed_object_with_all_it_is_made_of():
    instant = {"type": ["string", "null"], "format": "date-time", "pattern": "Z$"}
    assert components([Outer]) == {
        "Inner": {
            "type": "object",
            "description": "A part.",
            "properties": {"at": instant},
            "required": ["at"],
            "additionalProperties": False,
        },
        "Outer": {
            "type": "object",
            "description": "A whole.",
            "properties": {
                "size_bytes": {"type": ["integer", "null"], "description": "Bytes."},
                "kind": {"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "null"}]},
                "inner": {"anyOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "null"}]},
                "inners": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Inner"},
                    "description": "Many.",
                },
            },
            "required": ["size_bytes", "kind", "inner", "inners"],
            "additionalProperties": False,
        },
    }


def test_a_type_that_nobody_thought_of_is_no_schema():
    with pytest.raises(TypeError, match="no schema for <class 'bytes'>"):
        schema_of(bytes)


def test_each_state_is_counted():
    assert list(StateCounts.__dataclass_fields__) == [state.value for state in State]


def test_a_question_is_read_by_what_is_published():
    given = [("first", "1"), ("last", "377827"), ("bad", "true"), ("run_key", "pp_run"), ("after", "5ba1c0de-12")]
    assert read_query(RunsQuestion, given) == RunsQuestion(
        first=1, last=377827, bad=True, run_key="pp_run", after="5ba1c0de-12", with_lumis=False, limit=50, cursor=""
    )
    assert read_query(Question, []) == Question(after="")


RUNS_ARE = "a whole number from 1 to 9999999"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            [("frist", "1")],
            "Parameters that are known here: after, first, last, run_key, bad, with_lumis, limit, cursor.",
        ),
        ([("first", "1"), ("first", "1")], "first is given twice."),
        ([("first", "0")], f"first must be {RUNS_ARE}."),
        ([("first", "10000000")], f"first must be {RUNS_ARE}."),
        ([("first", "-1")], f"first must be {RUNS_ARE}."),
        ([("first", "+1")], f"first must be {RUNS_ARE}."),
        ([("first", "1e3")], f"first must be {RUNS_ARE}."),
        ([("first", " 1")], f"first must be {RUNS_ARE}."),
        ([("first", "1\n")], f"first must be {RUNS_ARE}."),
        ([("first", "٣")], f"first must be {RUNS_ARE}."),
        ([("first", "")], f"first must be {RUNS_ARE}."),
        ([("first", "9" * 5000)], f"first must be {RUNS_ARE}."),  # int() of so many digits raises
        ([("bad", "1")], "bad must be true or false."),
        ([("bad", "True")], "bad must be true or false."),
        ([("run_key", "pp_run'--")], "run_key must be of the form ^[A-Za-z0-9_]{1,40}$."),
        ([("run_key", "pp_run\n")], "run_key must be of the form ^[A-Za-z0-9_]{1,40}$."),
        ([("run_key", "pp\0run")], "run_key must be of the form ^[A-Za-z0-9_]{1,40}$."),
        ([("run_key", "")], "run_key must be of the form ^[A-Za-z0-9_]{1,40}$."),
        ([("limit", "501")], "limit must be a whole number from 1 to 500."),
        ([("cursor", "0")], "cursor must be of the form ^[1-9][0-9]{0,6}$."),
    ],
)
def test_what_is_not_published_is_refused(given, sentence):
    with pytest.raises(Problem) as refused:
        read_query(RunsQuestion, given)
    assert (refused.value.status_code, refused.value.text) == (400, sentence)


@pytest.mark.parametrize(
    ("text", "fits"), [("377827", True), ("x", False), ("0", False), ("377827\n", False), ("٣٧", False)]
)
def test_a_piece_of_the_path_is_what_is_published(text, fits):
    assert matches(text, RunNumber) == fits


PUBLISHED = {
    "Alarm": "key rule title words run job_id host url raised_at resolved_at",
    "AlarmList": "alarms next",
    "ClientRun": "run n_jobs n_open n_finished n_stopped n_failed n_crashed",
    "Cluster": "name first_run last_run polled_at",
    "ClusterHost": "host_id label is_configured status message status_since status_seen_at has_left grabber_state "
    "grabber_error polled_at epoch n_behind memory_used_bytes memory_total_bytes memory_available_bytes "
    "disk_used_bytes disk_total_bytes disk_rename_percent disk_delete_percent",
    "ClusterLink": "name url",
    "ClusterList": "clusters",
    "Delivery": "run host started_at started_at_is_estimated lumi_seconds streams",
    "Host": "host_id label",
    "HostList": "hosts",
    "HostStatus": "status message since seen_at",
    "HostStatusList": "host_id label statuses next",
    "Job": "job_id run client tag host state state_reason exit_code exit_words run_key release config_name cmssw_run "
    "lumi next_lumi n_events rate_hz input rss_bytes peak_rss_bytes size_bytes swap_bytes anon_bytes "
    "memory_slope_bytes_per_hour n_threads process_state first_reported_at reported_at received_at process_at "
    "input_ended_at has_log n_removed input_gone flags odd_lumis",
    "JobDetail": "<Job> memory lumis lumi_ranges history",
    "JobLog": "job_id run client head tail has_gap n_removed",
    "LumiRange": "first last grade text",
    "LumiSeries": "lumi n_events seconds",
    "MemorySeries": "at rss_bytes size_bytes",
    "Playback": "state lumi source_run run_key n_lumis reported_at",
    "ProblemDetails": "type title status detail instance",
    "Run": "<RunSummary> previous_run next_run started_at started_at_is_estimated counts missing streams playback jobs",
    "RunList": "runs next",
    "RunSummary": "run run_key release cmssw_run n_jobs n_open n_finished n_stopped n_failed n_crashed last_lumi "
    "max_events max_rate_hz first_reported_at last_reported_at",
    "StateCounts": "running quiet stuck lost finished stopped failed crashed missing",
    "StreamColumns": "label lumi written_at named_at delay_seconds n_processed n_accepted size_bytes",
    "StreamDelivery": "label mean_delay_seconds sigma_delay_seconds last_delay_seconds last_lumi n_events n_bytes",
    "TableLink": "name title subject url",
    "TableList": "tables words",
    "Word": "word meaning",
}


def test_security_g2_only_these_keys_are_published(tmp_path):
    schemas = openapi_document(make_site(tmp_path))["components"]["schemas"]
    found = {
        name: list(schema["properties"]) for name, schema in schemas.items() if not name.startswith("StatisticsOf")
    }
    assert found == {name: _names(words) for name, words in PUBLISHED.items()}


def _names(words: str) -> list[str]:
    """A name in angle brackets stands for the keys of another object."""
    names = []
    for word in words.split():
        names += _names(PUBLISHED[word.strip("<>")]) if word.startswith("<") else [word]
    return names
