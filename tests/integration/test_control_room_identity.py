"""The front-end's identity: it narrows, names and is noted, and grants nothing by itself."""

import pytest

from dqmsquare.server.control_room.frontend_identity import sign
from tests.control_room_client import PASSWORD
from tests.integration.control_room_stage import PLAYBACK_FU, Stage, WsgiClient, control_room_stage, is_denied
from tests.unit.server.control_room.test_frontend_identity import KEY, VECTOR, environ


class Identified:
    """A stage that wants identities, and clients who have one."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def client(self, **changed: str) -> WsgiClient:
        headers = {**VECTOR, **changed}
        encoded = {name: value.encode() for name, value in headers.items()}
        sent = {name: value.decode("latin-1") for name, value in encoded.items()}
        sent |= {"cms-authn-hmac": sign(KEY, encoded), "cms-auth-status": "OK"}
        return self.stage.client(headers=sent)


@pytest.fixture
def identified(place, tmp_path):
    key = tmp_path / "hmac"
    key.write_bytes(KEY)
    ties = f"probe=expert;{VECTOR['cms-authn-dn']}=reader"
    with control_room_stage(place, tmp_path, CMS_AUTH_HMAC_FILE=str(key), DQM_CR_DNS=ties) as stage:
        yield Identified(stage)


def test_security_a10_with_a_key_the_control_room_wants_an_identity_and_the_password(identified):
    stage = identified.stage
    assert stage.client().get("/cr/login/").status == 403
    assert stage.client().log_in().status == 403
    somebody = identified.client()
    assert somebody.get("/cr/").status == 401  # an identity alone opens nothing
    assert somebody.log_in(password="wrong").status == 401
    assert somebody.log_in().status == 303
    assert "CMSWEB identity verified" in somebody.get("/cr/").text
    [(login, dn_hash)] = stage.audit("login, dn_hash", "result = 'done'")
    assert (login, len(dn_hash)) == ("probe", 16)


def test_a_session_is_of_the_person_who_opened_it(identified):
    somebody = identified.client()
    somebody.log_in()
    for thief in (
        identified.client(**{"cms-authn-login": "other"}),
        identified.client(**{"cms-authn-dn": "/CN=other"}),
    ):
        thief.cookies = dict(somebody.cookies)
        assert is_denied(thief.get("/cr/"))
    nobody = identified.stage.client(cookies=dict(somebody.cookies))
    assert nobody.get("/cr/").status == 403


def test_an_account_that_is_tied_takes_no_other_person(identified):
    other = identified.client(**{"cms-authn-login": "other", "cms-authn-dn": "/CN=other"})
    assert other.log_in().status == 401
    assert identified.client().log_in("reader", f"{PASSWORD} too").status == 303


def test_security_a10_a_weak_identity_may_read(identified):
    weak = identified.client(**{"cms-authn-method": "AUCookie"})
    assert weak.log_in().status == 303
    weak.step_up()
    assert weak.act(what="restart_hltd", host=PLAYBACK_FU).status == 403
    assert weak.get("/cr/").soup.select("[data-command]") == []
    assert identified.client(**{"cms-authn-method": "HostIP", "cms-authn-login": ""}).get("/cr/login/").status == 403


def test_a_role_that_somebody_sends_along_grants_nothing(identified):
    """Behind the Go proxy a role that a person lacks may come correctly signed: roles are never looked at."""
    other = identified.client(**{"cms-authz-admin": "group:dqm", "cms-authn-login": "other", "cms-authn-dn": "/CN=o"})
    assert other.log_in().status == 401


def test_security_f2_identities_are_neither_logged_nor_shown(identified, caplog):
    with caplog.at_level("DEBUG"):
        somebody = identified.client()
        somebody.log_in()
        pages = somebody.get("/cr/").text + somebody.get("/cr/activity/?all=1").text + somebody.get("/cr/x").text
    signature = environ(VECTOR)["HTTP_CMS_AUTHN_HMAC"]
    for secret in (signature, VECTOR["cms-authn-dn"], "group:dqm"):
        assert secret not in caplog.text
        assert secret not in pages


def test_tries_are_counted_by_person_where_there_is_one(identified):
    identified.stage.clock.stand_still()
    somebody, other = identified.client(), identified.client(**{"cms-authn-login": "probe", "cms-authn-dn": "/CN=x"})
    for i in range(8):
        somebody.log_in(password=f"wrong {i}")
    assert somebody.log_in().status == 429
    assert other.log_in().status == 303
