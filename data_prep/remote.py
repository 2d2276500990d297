"""What is at the other end of a download: how it is opened, what its answers mean; the door to `requests`.

Messages name hosts and paths, never queries, headers or passwords: a signed address is a credential.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3

Response = requests.Response
BLOCK_BYTES = 1 << 20
TIMEOUT_S = 60.0  # longest silence of a server
PASSING_STATUSES = (408, 425, 429, 500, 502, 503, 504)  # worth another try; every other refusal is final
ADVICE_BY_STATUS = {
    401: "it wants credentials",
    403: "it refuses access: the address may have expired, or terms must be accepted on its web page first",
    404: "there is no such file: it may have moved; look at the data set's homepage",
    410: "the file was taken away; look at the data set's homepage",
}


class Passing(Exception):
    """Trouble that may pass; the message is in words of ours, the library's own quote addresses with their queries.

    `wait_s` is what the server asked for, if it did.
    """

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Remote:
    """A file somewhere else.

    Attributes:
        name: what messages call it; without secrets.
        open: request headers (Range, If-Range) -> streamed response. May raise requests' exceptions.
        advice_by_status: what a refusal means here, over ADVICE_BY_STATUS.
    """

    name: str
    open: Callable[[Mapping[str, str]], Response]
    advice_by_status: Mapping[int, str] = field(default_factory=dict)


def remote_url(url: str, timeout_s: float = TIMEOUT_S) -> Remote:
    """The file at an http or https address."""
    return Remote(shown(url), lambda headers: open_url(url, headers, timeout_s))


def open_url(url: str, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> Response:
    """GET, streamed, the bytes as they are stored: a compressed transfer has no positions to resume at."""
    return requests.get(url, headers={"Accept-Encoding": "identity", **headers}, stream=True, timeout=timeout_s)


def shown(url: str) -> str:
    """An address for messages: without user, password, query and fragment, which can be credentials.

    >>> shown("https://jane:pw@host.org:8080/a/b.zip?Signature=abc#x")
    'https://host.org:8080/a/b.zip'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def open_remote(remote: Remote, headers: Mapping[str, str]) -> Response:
    """Send the request; the response with its body still to be read, whatever its status.

    Raises:
        Passing: no connection, no answer in time.
    """
    try:
        return remote.open(headers)
    except requests.RequestException as error:
        raise Passing(_reason(error)) from None


def raw_blocks(response: Response) -> Iterator[bytes]:
    """The body as sent, undecoded.

    Raises:
        Passing: the body ended before its announced length, or the connection broke.
    """
    try:
        yield from response.raw.stream(BLOCK_BYTES, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError):
        raise Passing("the connection broke off") from None


def is_web_page(response: Response) -> bool:
    """Whether HTML came: a login or an error page that calls itself a success."""
    return response.headers.get("Content-Type", "").split(";")[0].strip().lower() == "text/html"


def validator_of(response: Response) -> str | None:
    """What proves that two responses are about the same bytes: a strong ETag, else the date; None without."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")  # W/"..." is too weak


def content_length(response: Response) -> int | None:
    """The announced length of this body; None if it is not said."""
    return _number(response.headers.get("Content-Length"))


def content_range(response: Response) -> tuple[int | None, int | None]:
    """(first position, size of the whole) of `Content-Range: bytes 5-9/10`; None for what is not said."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    return (int(match[1]), _number(match[2])) if match else (None, None)


def retry_after_s(response: Response) -> float | None:
    """Retry-After in seconds, given as a number or as a date; None if it is not given or makes no sense."""
    value = response.headers.get("Retry-After", "").strip()
    if _number(value) is not None:
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _reason(trouble: Exception) -> str:
    if isinstance(trouble, requests.exceptions.SSLError):
        return "its certificate is not valid"
    if isinstance(trouble, requests.Timeout):
        return "no answer in time"
    if isinstance(trouble, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "no connection, or it broke off"
    return f"the request failed ({type(trouble).__name__})"
