"""The door to Kaggle: an authenticated client, what it can download, and messages without its secrets.

The client is `kaggle.api.kaggle_api_extended.KaggleApi` (2.2.4). It answers a download with a redirect to a signed
address at its storage. The bytes are then fetched by `data_prep.download`: the library's own download believes any
status when it resumes and checks nothing but the length.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from data_prep.errors import ConfigError
from data_prep.remote import TIMEOUT_S, Remote, Response, open_url

INVALID_CREDENTIALS = "the credentials are not valid, or have expired; make new ones (kaggle.com, Settings, API)"
_SECRETS = ("KAGGLE_KEY", "KAGGLE_API_TOKEN")
_NO_CREDENTIALS = (
    "Kaggle: no credentials; set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY, or put "
    "kaggle.json (kaggle.com, Settings, API) into ~/.kaggle"
)


def connect() -> Any:
    """An authenticated Kaggle client.

    Raises:
        ConfigError: no credentials that Kaggle accepts, or no way to ask it.
    """
    import contextlib
    import io

    # The library authenticates when imported, prints its own help and may end the process.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            from kaggle.api.kaggle_api_extended import KaggleApi

            client = KaggleApi()
            _limit_silence(client)
            client.authenticate()
        except SystemExit:
            client = None
        except OSError as error:  # what requests raises; its message can hold the token's request
            raise ConfigError(f"Kaggle: could not check the credentials ({type(error).__name__})") from None
    if client is None:
        raise ConfigError(_NO_CREDENTIALS)
    return client


def _limit_silence(client: Any) -> None:
    """A server that takes a request and never answers ends in a requests.Timeout; the library would wait for ever."""
    build = client.build_kaggle_client

    def build_with_limit() -> Any:
        kaggle = build()
        http_client = kaggle.http_client()
        http_client._init_session()  # kagglesdk has no other door to its session
        http_client._session.send = partial(http_client._session.send, timeout=TIMEOUT_S)
        return kaggle

    client.build_kaggle_client = build_with_limit


def without_secrets(text: str, client: Any) -> str:
    """The text with every credential of the environment and of the client replaced by ***."""
    held = getattr(client, "config_values", None) or {}
    secrets = [os.environ.get(name) for name in _SECRETS] + [held.get("key"), held.get("token")]
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def competition_files(client: Any, competition: str) -> Remote:
    """One zip with all files of a competition."""

    def ask() -> Response:
        from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest

        request = ApiDownloadDataFilesRequest()
        request.competition_name = competition
        with client.build_kaggle_client() as kaggle:
            return kaggle.competitions.competition_api_client.download_data_files(request)

    page = f"https://www.kaggle.com/c/{competition}"
    advice = {
        401: INVALID_CREDENTIALS,
        403: f"accept the rules at {page}/rules with the account of these credentials, then run the command again",
        404: f"no such competition; look at {page}",
    }
    return Remote(f"Kaggle competition {competition}", lambda headers: _open(ask, headers), advice)


def dataset_files(client: Any, dataset: str) -> Remote:
    """One zip with all files of a data set, `owner/name` or `owner/name/<version>`.

    Raises:
        ConfigError: a name of another form.
    """
    owner, _, rest = dataset.partition("/")
    name, _, version = rest.partition("/")
    if not owner or not name or (version and not version.isdigit()):
        raise ConfigError(f"Kaggle data set: got {dataset!r}, expected owner/name or owner/name/<version number>")

    def ask() -> Response:
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

        request = ApiDownloadDatasetRequest()
        request.owner_slug, request.dataset_slug = owner, name
        request.dataset_version_number = int(version) if version else None
        with client.build_kaggle_client() as kaggle:
            return kaggle.datasets.dataset_api_client.download_dataset(request)

    page = f"https://www.kaggle.com/datasets/{owner}/{name}"
    advice = {
        401: INVALID_CREDENTIALS,
        403: f"it is private or gone, or wants a consent; look at {page}",
        404: f"no such data set; look at {page}",
    }
    return Remote(f"Kaggle data set {dataset}", lambda headers: _open(ask, headers), advice)


def _open(ask: Callable[[], Response], headers: Mapping[str, str]) -> Response:
    """Ask for a fresh signed address, as an old one expires, and open it at the wanted position."""
    try:
        response = ask()
    except Exception as error:
        refusal = getattr(error, "response", None)
        if refusal is None:
            raise
        if refusal.status_code < 400:  # the client found the refusal in the body
            refusal.status_code = int(refusal.json()["code"])
        return refusal  # its status says what to do; Kaggle's words may quote the request
    if not response.history:  # without a redirect there is no address that takes a position
        return response
    response.close()
    return open_url(response.url, headers)
