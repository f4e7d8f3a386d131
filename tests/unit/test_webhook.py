import logging
import traceback

import pytest
import requests
import responses

from dqmsquare.errors import WebhookFailed
from dqmsquare.webhook import Notice, Webhook, escaped, message

URL = "https://mattermost.example/hooks/a-secret-key"
NOTICE = Notice(
    key="production/JobCrashed/abcdefgh23456723",
    rule="JobCrashed",
    cluster="production",
    words="beam crashed in run 398220 on fu..01: exit -11, SIGSEGV",
    path="/jobs/abcdefgh23456723?db=production",
)


@pytest.fixture
def webhook():
    return Webhook(URL, deadline_seconds=5)


def test_a_message_names_the_alarm_says_it_and_links_to_it():
    assert message(NOTICE, "https://cmsweb.example/dqm/dqm-square") == {
        "username": "DQM² Mirror",
        "text": "**Job crashed** (production): beam crashed in run 398220 on fu..01: exit -11, SIGSEGV. "
        "[Show](https://cmsweb.example/dqm/dqm-square/jobs/abcdefgh23456723?db=production)\n"
        "`production/JobCrashed/abcdefgh23456723`",
    }
    assert "[Show]" not in message(NOTICE, "")["text"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fu..02 is down", "fu..02 is down"),
        ("**bold** _it_ `code`", r"\*\*bold\*\* \_it\_ \`code\`"),
        ("[click](https://evil.example)", r"\[click\]\(https://evil.example\)"),
        ("a\n# heading\r\n> quote", "a \\# heading  \\> quote"),
        ("@all and <!channel>", "@\u200ball and <\u200b\\!channel\\>"),
        ("| a | ~~b~~ \\", r"\| a \| \~\~b\~\~ " + "\\\\"),
    ],
)
def test_nothing_in_the_words_is_markup_or_calls_people(text, shown):
    assert escaped(text) == shown


@responses.activate
def test_what_is_sent(webhook):
    answer = responses.post(URL, body="ok")
    webhook.send({"text": "hello"})
    [call] = answer.calls
    assert call.request.body == b'{"text": "hello"}'
    assert call.request.headers["Content-Type"] == "application/json"


@responses.activate
@pytest.mark.parametrize("status", [301, 400, 403, 404, 500])
def test_every_answer_that_is_not_a_yes_is_a_failure(webhook, status):
    responses.post(URL, status=status, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(WebhookFailed, match=f"^answered {status}$"):
        webhook.send({"text": "hello"})
    assert len(responses.calls) == 1


@responses.activate
def test_the_other_side_may_ask_for_a_pause(webhook):
    responses.post(URL, status=429, headers={"Retry-After": "17"})
    with pytest.raises(WebhookFailed) as caught:
        webhook.send({"text": "hello"})
    assert caught.value.retry_after_seconds == 17


@responses.activate
@pytest.mark.parametrize("error", [requests.ConnectionError(URL), requests.exceptions.InvalidURL(URL), OSError(URL)])
def test_the_address_stands_in_no_error_and_no_log(webhook, error, caplog):
    caplog.set_level(logging.DEBUG)
    responses.post(URL, body=error)
    with pytest.raises(WebhookFailed) as caught:
        webhook.send({"text": "hello"})
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "WebhookFailed" in told
    assert "secret" not in told
