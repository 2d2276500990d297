"""What an answer means: a status, trouble that may pass, a refusal. With the real client: test_kaggle_steps.py."""

import pytest
import requests

from data_prep.errors import ContractError
from submission import kaggle_answers
from submission.kaggle_answers import asking, status_of, wait_until


def refusal(status, body=b"<html>"):
    response = requests.Response()
    response.status_code, response._content = status, body
    return requests.HTTPError("refused", response=response)


def answers(*given):
    """A status function; exceptions among the answers are raised."""
    left = list(given)

    def status():
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return status


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(kaggle_answers, "_POLL_SECONDS", 0.0)


def test_every_change_is_told_once_and_passing_trouble_is_a_status():
    told = []
    given = answers("queued", "queued", requests.ConnectionError("gone"), refusal(502), "running", "done")
    wait_until("done", given, ("error",), 5.0, "it", told.append)
    assert told == ["it: queued", "it: no answer (ConnectionError)", "it: no answer (502)", "it: running"]


@pytest.mark.parametrize("trouble", [refusal(401), refusal(403), OSError("disk"), ValueError("odd")])
def test_other_trouble_ends_the_wait(trouble):
    with pytest.raises(type(trouble)):
        wait_until("done", answers("queued", trouble), ("error",), 5.0, "it", lambda line: None)


def test_an_end_and_the_end_of_patience_are_errors_with_their_reason():
    with pytest.raises(ContractError, match="it: error: too big"):
        wait_until("done", answers("error"), ("error",), 5.0, "it", lambda line: None, ["", "too big"])
    with pytest.raises(ContractError, match="it: error: Kaggle gives no reason"):
        wait_until("done", answers("error"), ("error",), 5.0, "it", lambda line: None)
    with pytest.raises(ContractError, match=r"it: no answer \(ConnectionError\) after 0 minutes; look at it on kaggle"):
        wait_until("done", answers(requests.ConnectionError()), ("error",), 0.01, "it", lambda line: None)


def test_a_refusal_in_the_body_of_a_success_counts():
    assert status_of(refusal(200, b'{"code": 401}')) == 401
    assert status_of(refusal(404)) == 404 and status_of(ValueError()) is None


@pytest.mark.parametrize(("error", "message"), [
    (refusal(404), r"Kaggle, it: HTTPError: refused \(404: ask jane\)"),
    (refusal(500), r"\(500: Kaggle is in trouble; run the same command again to go on\)"),
    (refusal(418), "Kaggle, it: HTTPError: refused$"),
    (requests.ConnectTimeout("slow"), r"slow \(no answer: look at the connection, then run the same command"),
    (OSError(28, "No space left on device"), r"No space left on device$"),
    (ContractError("ours *** "), r"^ours"),
])
def test_what_the_client_raises_is_one_error_with_advice(error, message):
    with pytest.raises(ContractError, match=message), asking(None, "it", {404: "ask jane"}):
        raise error
