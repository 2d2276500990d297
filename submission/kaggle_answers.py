"""What the answers of the Kaggle client mean: a status to wait for, trouble that may pass, a refusal and its remedy."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from data_prep.errors import ConfigError, ContractError
from data_prep.kaggle_client import INVALID_CREDENTIALS, without_secrets
from data_prep.remote import PASSING_STATUSES

AGAIN = "run the same command again to go on"
_POLL_SECONDS = 10.0


def wait_until(
    wanted: str, status: Callable[[], str], ends: tuple[str, ...], wait_s: float, what: str,
    tell: Callable[[str], None], reasons: list[str] | None = None,
) -> None:  # fmt: skip
    """Ask for the status until it is the wanted one; every change is told.

    A wait can take hours: no answer, or one that may pass (429, 5xx), is a status like another.

    Raises:
        ContractError: the status is one of `ends`, or it is not the wanted one after `wait_s`.
    """
    deadline, last = time.monotonic() + wait_s, None
    while (now := _status_or_trouble(status)) != wanted:
        if now in ends:
            raise ContractError(f"{what}: {now}: {(reasons or [''])[-1] or 'Kaggle gives no reason'}")
        if now != last:
            tell(f"{what}: {now}")
            last = now
        if time.monotonic() >= deadline:
            waited = f"{now} after {wait_s / 60:.0f} minutes"
            raise ContractError(f"{what}: {waited}; look at it on kaggle.com, then {AGAIN}")
        time.sleep(min(_POLL_SECONDS, wait_s))


def _status_or_trouble(status: Callable[[], str]) -> str:
    try:
        return status()
    except OSError as error:
        code = status_of(error)
        if not (_is_without_answer(error) or code in PASSING_STATUSES):
            raise
        return f"no answer ({code or type(error).__name__})"


def status_of(error: Exception) -> int | None:
    """HTTP status of an error of the client; inside a successful answer the refusal is in the body."""
    response = getattr(error, "response", None)
    if response is None:
        return None
    try:
        return int(response.json()["code"])
    except (ValueError, KeyError, TypeError):
        return response.status_code


def _is_without_answer(error: Exception) -> bool:
    """Whether requests, whose errors know their request, gave up: no connection, or silence."""
    return isinstance(error, OSError) and hasattr(error, "request") and error.response is None


@contextmanager
def asking(client: Any, what: str, advice: Mapping[int | None, str]) -> Iterator[None]:
    """What the client raises, as ContractError with advice; without secrets, or a traceback that could hold headers.

    `advice`: by HTTP status, None for no answer.
    """
    known = {401: INVALID_CREDENTIALS, 429: f"too many requests; wait some minutes, then {AGAIN}", **advice}
    try:
        yield
    except (ConfigError, ContractError) as error:
        raise type(error)(without_secrets(str(error), client)) from None
    except Exception as error:  # requests' and Kaggle's own types; all of them mean that the step failed
        status = status_of(error)
        reason = without_secrets(f"{type(error).__name__}: {error}", client)
        hint = known.get(status, f"Kaggle is in trouble; {AGAIN}" if status and status >= 500 else "")
        if _is_without_answer(error):
            status, hint = "no answer", advice.get(None, f"look at the connection, then {AGAIN}")
        raise ContractError(f"Kaggle, {what}: {reason}{f' ({status}: {hint})' if hint else ''}") from None
