"""Who gets in, for how long, and what the holes of the first mirror answer now."""

import itertools
import re
import threading
from datetime import datetime

import psycopg2
import pytest

from dqmsquare.server.api_v1.operations import OPERATIONS
from tests.control_room_client import PASSWORD, Answer
from tests.integration.control_room_stage import PLAYBACK_FU, PREFIX, Stage, control_room_stage, is_denied

PUBLIC = {
    "/", "/alarms", "/alarms/partial", "/api", "/api/v1/clusters", "/api/v1/clusters/<name>/events",
    "/api/v1/openapi.json", *(operation.rule for operation in OPERATIONS), "/help", "/jobs/<raw_id>",
    "/jobs/<raw_id>/log", "/jobs/<raw_id>/log.txt", "/jobs/<raw_id>/log/partial", "/jobs/<raw_id>/partial",
    "/jobs/<raw_id>/row", "/live/partial", "/runs/<run:int>/delivery", "/runs/<run:int>/delivery.json",
    "/static/<name:path>", "/statistics", "/statistics/", "/statistics/<name>.csv", "/statistics/<name>.json",
    "/statistics/<name>.png", "/status", "/status/partial",
    "/timeline", "/timeline/", "/timeline/<run:int>/<tag>", "/timeline/<run:int>/<tag>/card", "/timeline/rows",
    "/timeline/runs.csv",
}  # fmt: skip
DOOR = {"/cr/login", "/cr/login/"}  # in the Control Room, for those who are not in it yet
CONTROL_ROOM = DOOR | {
    "/cr", "/cr/", "/cr/activity.csv", "/cr/activity/", "/cr/activity/<action_id>", "/cr/alarms/",
    "/cr/alarms/acknowledge", "/cr/commands", "/cr/exe", "/cr/latest", "/cr/logout", "/cr/logout/",
    "/cr/logs/<host_id>/<service>", "/cr/logs/<host_id>/<service>/text", "/cr/machines", "/cr/session", "/cr/step-up",
    "/cr/step-up/", "/cr/versions",
}  # fmt: skip
MONITORING: set[str] = set()  # on a port of its own: dqmsquare/monitoring.py


@pytest.fixture
def stage(place, tmp_path):
    with control_room_stage(place, tmp_path) as stage:
        yield stage


def example(stage: Stage, rule: str) -> str:
    names = {"host_id": stage.room.host_id(PLAYBACK_FU), "service": "fff", "action_id": "0" * 16, "run:int": "1"}
    return re.sub(r"<([^>]+)>", lambda match: names.get(match[1], "x"), rule)


def test_security_b3_each_route_is_of_one_kind(stage: Stage):
    found = {route.rule for route in stage.application.routes}
    kinds = (PUBLIC, CONTROL_ROOM, MONITORING)
    assert sum(map(len, kinds)) == len(PUBLIC | CONTROL_ROOM | MONITORING)
    assert found == PUBLIC | CONTROL_ROOM, "say of each new route of which kind it is"
    assert all(rule.startswith("/cr") for rule in CONTROL_ROOM)


def test_security_b3_no_route_of_the_control_room_answers_a_stranger(stage: Stage):
    stranger = stage.client()
    for route in stage.application.routes:
        if route.rule in CONTROL_ROOM - DOOR:
            answer = stranger.request(route.method, example(stage, route.rule))
            assert is_denied(answer), route
            assert answer.header("Cache-Control") == "no-store"
    assert stage.audit() == []
    assert stage.n_asked == 0


def test_security_b1_a_crawl_by_get_changes_nothing(stage: Stage):
    client = stage.logged_in()
    tables = ("audit", "control_room_limits", "acknowledgements")
    before = {table: stage.place.rows(f"SELECT * FROM mirror.{table} ORDER BY 1") for table in tables}
    for route in stage.application.routes:
        if not route.rule.endswith("/events"):
            assert client.get(example(stage, route.rule)).status in {200, 303, 400, 404, 405}, route
    for what in ("restart_hltd", "restart_fff", "change_dqm_client", "start_playback_run"):
        answer = client.ask(f"what={what}&host={PLAYBACK_FU}")
        assert (answer.status, answer.header("Allow")) == (405, "POST")
    assert {table: stage.place.rows(f"SELECT * FROM mirror.{table} ORDER BY 1") for table in tables} == before
    assert stage.simulator.control_room.machines.machines[PLAYBACK_FU].n_restarts == {"hltd": 0, "fff": 0}


@pytest.mark.parametrize("name", ["dqmsquare-mirror-cr-account", "__Secure-dqmcr"])
@pytest.mark.parametrize("value", ["expert", "random", "", "0" * 43])
def test_security_a2_the_forged_cookie_of_the_first_mirror_opens_nothing(stage: Stage, name, value):
    forger = stage.client(cookies={name: value})
    assert is_denied(forger.get("/cr/"))
    assert is_denied(forger.ask("what=get_dqm_machines"))
    assert forger.act(what="restart_hltd", host=PLAYBACK_FU).status == 401
    assert (stage.n_asked, stage.audit()) == (0, [])


def test_security_a1_a4_the_cookie_of_a_session_is_the_control_rooms_alone_and_stored_nowhere(stage: Stage):
    client = stage.client()
    answer = client.log_in()
    [cookie] = [cookie for cookie in answer.all("Set-Cookie") if cookie.startswith("__Secure-dqmcr=")]
    value, *attributes = cookie.split("; ")
    assert attributes == [f"Path={PREFIX}/cr", "Secure", "HttpOnly", "SameSite=Strict"]
    secret = value.partition("=")[2]
    assert len(secret) >= 43
    tables = ("control_room_sessions", "audit", "control_room_limits")
    assert not any(secret in str(stage.place.rows(f"SELECT * FROM mirror.{table}")) for table in tables)
    [(stored,)] = stage.place.rows("SELECT session_hash FROM mirror.control_room_sessions")
    assert is_denied(stage.client(cookies={"__Secure-dqmcr": stored}).get("/cr/"))


def test_security_a1_a_new_login_and_a_logout_end_the_session_before(stage: Stage):
    client = stage.logged_in()
    first = dict(client.cookies)
    form = stage.client()
    fields = form.fields()
    client.cookies |= form.cookies
    assert client.post("/cr/login/", fields | {"username": "expert", "password": PASSWORD}).status == 303
    assert client.cookies["__Secure-dqmcr"] != first["__Secure-dqmcr"]
    assert is_denied(stage.client(cookies=first).get("/cr/"))
    second = dict(client.cookies)
    token = client.get("/cr/logout/").soup.select_one("input[name=token]")["value"]
    assert client.post("/cr/logout/", {"token": token}).header("Location") == f"{PREFIX}/cr/login/"
    assert is_denied(stage.client(cookies=second).get("/cr/"))
    assert is_denied(client.get("/cr/"))


def test_security_a3_logging_out_everywhere_ends_every_session_of_the_account_and_no_other(stage: Stage):
    here, there, other = stage.logged_in(), stage.logged_in(), stage.logged_in("reader")
    token = here.get("/cr/logout/").soup.select_one("input[name=token]")["value"]
    here.post("/cr/logout/", {"token": token, "everywhere": "1"})
    assert is_denied(there.get("/cr/"))
    assert other.get("/cr/").status == 200


def test_security_a3_a_session_ends_unused_after_an_hour_and_in_any_case_after_twelve(stage: Stage):
    client = stage.logged_in()
    for _ in range(12):
        stage.clock.advance(minutes=59)
        assert client.get("/cr/").status == 200
    stage.clock.advance(minutes=13)
    assert is_denied(client.get("/cr/"))
    client = stage.logged_in()
    stage.clock.advance(minutes=50)
    assert client.get("/cr/latest").status == 200  # a page that asks by itself is not somebody who does something
    stage.clock.advance(minutes=11)
    assert is_denied(client.get("/cr/"))


def test_without_an_account_nobody_can_log_in_and_everybody_is_told_why(place, tmp_path):
    with control_room_stage(place, tmp_path, DQM_CR_USERNAMES="", DQM_CR_VIEWERS="") as stage:
        visitor = stage.client()
        assert "DQM_CR_USERNAMES" in visitor.get("/cr/").soup.select_one("[role=alert].door-words").text
        assert visitor.log_in().status == 401


def test_two_replicas_see_one_session(stage: Stage):
    client = stage.logged_in()
    other, _ = stage.replica()
    there = stage.client(other, cookies=dict(client.cookies))
    assert there.get("/cr/").status == 200
    there.post("/cr/logout/", {"token": there.get("/cr/logout/").soup.select_one("input[name=token]")["value"]})
    assert is_denied(client.get("/cr/"))


def test_a_session_is_over_when_its_account_has_changed(stage: Stage, place, tmp_path):
    client = stage.logged_in()
    for accounts in (f"expert:{PASSWORD}!;reader:x", "reader:x"):
        with control_room_stage(place, tmp_path, DQM_CR_USERNAMES=accounts) as later:
            assert is_denied(later.client(cookies=dict(client.cookies)).get("/cr/"))


def test_security_a9_the_password_is_asked_again_before_something_is_changed_and_after_five_minutes(stage: Stage):
    stage.simulator.control_room.is_mended = True
    client = stage.logged_in(stepped_up=False)
    restart = {"what": "restart_fff", "host": PLAYBACK_FU}
    without = client.act(**restart)
    assert (without.status, without.header("Dqm-Result")) == (401, "password")
    assert client.step_up("wrong").status == 401
    assert client.act(**restart).status == 401
    assert client.step_up().status == 200
    assert client.act(**restart).status == 200
    stage.clock.advance(minutes=4, seconds=59)
    assert client.act(**restart).status == 200
    stage.clock.advance(seconds=2)
    assert client.act(**restart).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None}, {"Origin": "null"}, {"Origin": "https://evil.org"}, {"Origin": None, "Referer": "https://evil.org/"},
        {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Origin": "http://cmsweb.cern.ch"},
        {"Origin": "https://evil.org", "Host": "evil.org"},
    ],
)  # fmt: skip
def test_security_b2_a_command_from_another_page_is_refused_and_noted(stage: Stage, headers):
    client = stage.logged_in()
    body = {"what": "restart_hltd", "host": PLAYBACK_FU, "token": client.token}
    assert client.post("/cr/exe", body, **headers).status == 403
    assert client.post("/cr/step-up/", {"password": PASSWORD, "token": client.token}, **headers).status == 403
    assert stage.audit(where="command = 'command'") == [("command", "whole", "rejected")] * 2
    stranger = stage.client()
    fields = stranger.fields() | {"username": "expert", "password": PASSWORD}
    assert stranger.post("/cr/login/", fields, **headers).status == 403
    assert stage.n_asked == 0


def test_security_b1_a_command_without_the_pages_token_is_refused(stage: Stage):
    client, other = stage.logged_in(), stage.logged_in("reader")
    for token in ("", "0" * 64, other.token):
        client.token = token
        assert client.act(what="restart_hltd", host=PLAYBACK_FU).status == 403
    assert client.post(f"/cr/exe?token={other.token}", {"what": "restart_hltd", "host": PLAYBACK_FU}).status == 403
    assert stage.n_asked == 0


def test_a_token_in_an_address_is_a_parameter_that_no_command_takes(stage: Stage):
    client = stage.logged_in()
    fields = {"what": "restart_hltd", "host": PLAYBACK_FU}
    assert client.post(f"/cr/exe?token={client.token}", fields, X_CSRF_Token=client.token).status == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "multipart/form-data; boundary=x", ""])
def test_only_forms_are_taken(stage: Stage, content_type):
    client = stage.logged_in()
    assert client.post("/cr/exe", f"token={client.token}", Content_Type=content_type).status == 415


def test_a_login_form_is_good_in_the_browser_that_it_was_given_to(stage: Stage):
    browser, other = stage.client(), stage.client()
    fields = browser.fields()
    fields |= {"username": "expert", "password": PASSWORD}
    assert other.post("/cr/login/", fields).status == 403
    other.get("/cr/login/")
    assert other.post("/cr/login/", fields).status == 403
    assert browser.post("/cr/login/", fields).status == 303


def test_security_a6_a_wrong_name_and_a_wrong_password_are_told_apart_by_nobody(stage: Stage):
    client = stage.client()
    wrong_password, wrong_name = client.log_in(password="wrong"), client.log_in("canary-name", "wrong")
    assert wrong_password.status == wrong_name.status == 401
    assert wrong_password.soup.select_one("[role=alert]").text == wrong_name.soup.select_one("[role=alert]").text
    assert stage.audit("account, command, result") == [("expert", "log in", "rejected"), ("", "log in", "rejected")]
    assert "canary-name" not in str(stage.place.rows("SELECT * FROM mirror.audit"))


def test_security_a8_many_tries_are_slowed_down_and_nobody_else_is(stage: Stage):
    stage.clock.stand_still()
    guesser = stage.client(address="137.138.0.1")
    answers = [guesser.log_in(password=f"wrong {i}") for i in range(30)]
    statuses = [answer.status for answer in answers]
    assert statuses == [401] * 6 + [429] * 24
    assert all(int(answer.header("Retry-After") or 0) >= 1 for answer in answers if answer.status == 429)
    assert guesser.log_in().status == 429  # the right password must wait too
    assert stage.client(address="137.138.0.2").log_in().status == 303
    _, room = stage.replica()  # a restart forgets nothing
    assert room.door._tries.begin("expert", "137.138.0.1") > 0
    stage.clock.advance(minutes=20)
    assert guesser.log_in().status == 303


def test_security_a8_each_further_failure_doubles_the_wait(stage: Stage):
    stage.clock.stand_still()
    guesser = stage.client()
    waits = []
    for _ in range(20):
        answer = guesser.log_in(password="wrong")
        if answer.status == 429:
            waits.append(int(answer.header("Retry-After") or 0))
            stage.clock.advance(seconds=waits[-1])
    assert len(waits) > 4
    assert all(1.5 * before < after < 3 * before for before, after in itertools.pairwise(waits[1:]))


def test_security_a8_an_address_that_tries_many_names_is_slowed_down_too(stage: Stage):
    stage.clock.stand_still()
    guesser = stage.client(address="137.138.0.1")
    statuses = [guesser.log_in(f"name{i}", "wrong").status for i in range(25)]
    assert (statuses[:20], 429 in statuses) == ([401] * 20, True)


def test_the_password_that_is_asked_again_is_slowed_down_too(stage: Stage):
    stage.clock.stand_still()
    client = stage.logged_in(stepped_up=False)
    assert 429 in [client.step_up(f"wrong {i}").status for i in range(10)]


@pytest.mark.parametrize("next_path", ["//evil", "/\\evil", "https://evil.org/", "/api", "/cr/../api"])
def test_security_i3_a_login_leads_nowhere_else(stage: Stage, next_path):
    client = stage.client()
    fields = client.fields()
    fields |= {"username": "expert", "password": PASSWORD, "next": next_path}
    answer = client.post("/cr/login/", fields, Host="evil.org")
    assert (answer.status, answer.header("Location")) == (303, f"{PREFIX}/cr/")


def test_a_login_leads_back_to_the_page_that_was_asked_for(stage: Stage):
    answer = stage.client().log_in(path="/cr/activity/?account=expert")
    assert answer.header("Location") == f"{PREFIX}/cr/activity/?account=expert"


def test_what_is_typed_into_the_form_comes_back_as_text(stage: Stage):
    answer = stage.client().log_in('"><script>alert(1)</script>', "wrong")
    assert "<script>alert" not in answer.text
    assert answer.soup.select_one("#username")["value"] == '"><script>alert(1)</script>'


def test_what_the_front_end_puts_before_the_cookies_does_not_matter(stage: Stage):
    client = stage.logged_in()
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert stage.client().get("/cr/", Cookie=f"{'0f' * 40}; {cookie}").status == 200


def test_security_d4_e3_no_answer_of_the_control_room_is_kept_and_each_is_plain_or_a_page(stage: Stage):
    client = stage.logged_in()
    for path in (
        "/cr/",
        "/cr/exe?what=get_dqm_machines",
        "/cr/exe?what=exec",
        "/cr/activity.csv",
        "/cr/session",
        "/cr/x",
    ):
        answer = client.get(path)
        assert answer.header("Cache-Control") == "no-store", path
        assert answer.header("X-Content-Type-Options") == "nosniff", path
    assert client.get("/cr/").header("Referrer-Policy") == "same-origin"


def test_security_f3_nobody_updates_or_deletes_the_audit(stage: Stage):
    stage.logged_in()
    config = stage.config
    server = psycopg2.connect(
        host=stage.place.server.host,
        user=config.postgres_server_username,
        dbname=config.postgres_production_db_name,
    )
    statements = (
        "UPDATE mirror.audit SET account = 'x'", "DELETE FROM mirror.audit", "TRUNCATE mirror.audit",
        "ALTER TABLE mirror.audit DISABLE TRIGGER ALL", "DROP TABLE mirror.audit",
        "CREATE OR REPLACE FUNCTION mirror.guard_audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    )  # fmt: skip
    with server, server.cursor() as cursor:
        for statement in statements:
            cursor.execute("SAVEPOINT before")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege, match=r"permission denied|must be owner"):
                cursor.execute(statement)
            cursor.execute("ROLLBACK TO before")
    server.close()
    for statement in statements[:3]:  # the owner's role
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="the audit is never changed"):
            stage.place.rows(statement)
    assert len(stage.audit()) == 1


def test_security_g4_the_owner_clears_out_what_is_older_than_its_retention(stage: Stage):
    from dqmsquare.storage.control_room_audit import forget_old_actions

    stage.logged_in()
    stage.place.rows(
        "INSERT INTO mirror.audit (action_id, stage, at, account, address, command, parameters, result, detail) "
        "VALUES ('old', 'whole', now() - interval '366 days', 'a', '', 'log in', '{}', 'done', '')"
    )
    with stage.place.owner().writing() as connection:
        forget_old_actions(connection, 365)
    assert [action_id for (action_id,) in stage.audit("action_id") if action_id == "old"] == []
    assert len(stage.audit()) == 1


def test_security_f3_who_did_what_is_in_the_log_too(stage: Stage, caplog):
    with caplog.at_level("INFO"):
        client = stage.logged_in()
        client.act(what="restart_hltd", host=PLAYBACK_FU)
    text = caplog.text
    assert text.count('"command":"restart_hltd"') == 2
    assert not any(secret in text for secret in (PASSWORD, PLAYBACK_FU, client.token, client.cookies["__Secure-dqmcr"]))


def test_logins_at_once_are_sessions_of_their_own(stage: Stage):
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(stage.client().log_in())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [303] * 4
    assert len(stage.place.rows("SELECT 1 FROM mirror.control_room_sessions")) == 4


def test_the_activity_is_filtered_linked_and_given_as_csv(stage: Stage):
    client = stage.logged_in()
    client.act(what="restart_hltd", host=PLAYBACK_FU)
    client.act(what="restart_hltd", host="<b>;id")
    reader = stage.logged_in("reader")
    rows = reader.get("/cr/activity/").soup.select("table.activity tbody tr")
    assert [row.select("td")[2].text for row in rows] == ["restart hltd", "restart hltd"]
    assert PLAYBACK_FU in rows[1].text
    assert "<b>" not in str(rows[0])
    only = reader.get("/cr/activity/?result=rejected&command=restart_hltd&account=expert").soup
    assert len(only.select("table.activity tbody tr")) == 1
    assert len(reader.get("/cr/activity/?account=reader").soup.select("td.quiet")) == 1
    assert "log in" in reader.get("/cr/activity/?account=reader&all=1").text
    assert len(reader.get(f"/cr/activity/?machine={PLAYBACK_FU}").soup.select("table.activity tbody tr")) == 1
    assert len(reader.get("/cr/activity/?from=2099-01-01").soup.select("td.quiet")) == 1
    link = rows[1].select_one("a")["href"].removeprefix(PREFIX)
    assert "unknown effect" in reader.get(link).text
    csv = reader.get("/cr/activity.csv")
    assert csv.header("Content-Disposition") == 'attachment; filename="control-room-activity.csv"'
    assert len(csv.text.splitlines()) == 3
    assert reader.get("/cr/activity/0000000000000000").status == 404


def test_an_alarm_is_acknowledged_once_for_everybody(stage: Stage):
    stage.place.rows(
        "INSERT INTO mirror.alarms (alarm_key, rule, subject, words, raised_at) "
        "VALUES ('production/HostDown/x', 'HostDown', 'x', 'fu..01 is <down>', now())"
    )
    client, reader = stage.logged_in(), stage.logged_in("reader")
    fields = {
        one["name"]: one["value"] for one in client.get("/cr/alarms/").soup.select("form[action$=acknowledge] input")
    }
    assert fields["key"] == "production/HostDown/x"
    assert reader.get("/cr/alarms/").soup.select("form[action$=acknowledge]") == []
    assert reader.post("/cr/alarms/acknowledge", fields | {"token": reader.token}).status == 403
    for _ in range(2):
        assert client.post("/cr/alarms/acknowledge", fields).status == 303
    [(key, account, at)] = stage.place.rows("SELECT * FROM mirror.acknowledgements")
    assert (key, account, isinstance(at, datetime)) == ("production/HostDown/x", "expert", True)
    assert stage.place.rows("SELECT kind, alarm_key FROM mirror.changes") == [("alarm", key)]
    assert "acknowledged by expert" in reader.get("/cr/alarms/").text
    assert client.post("/cr/alarms/acknowledge", fields | {"key": "nothing"}).status == 404
    assert client.post("/cr/alarms/acknowledge", fields | {"db": "other"}).status == 400
