"""A web server on 127.0.0.1 that misbehaves as it is told, and a stand-in for Kaggle's site on it."""

import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Hosted:
    """One file and how it is served; `drops` and `refusals` are used up request by request."""

    content: bytes
    ranges: bool = True
    piece: int | None = None  # longest answer to a Range
    heeds_if_range: bool = True
    etag: str | None = '"one"'
    announced: int | None = None  # Content-Length of whole answers, when it is a lie
    content_type: str = "application/octet-stream"
    drops: list[int] = field(default_factory=list)  # close after so many bytes of the body
    always_drop: int | None = None
    refusals: list[tuple[int, dict]] = field(default_factory=list)
    pause_s: float = 0.0  # before every 64 kB


class WebServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Hosted] = {}
        self.requests: list[tuple[str, str, dict]] = []  # method, path with query, headers
        self.posts = {}  # path -> function(headers, body) -> (status, headers, body)
        self.puts = {}

    def handle_error(self, request, client_address):
        pass  # a client that went away is part of the game

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def sent_headers(self, name):
        return [headers.get(name) for _, _, headers in self.requests]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.server.requests.append(("GET", self.path, dict(self.headers)))
        hosted = self.server.files.get(self.path.partition("?")[0])
        if hosted is None:
            return self.answer(404, {}, b"no such thing")
        if hosted.refusals:
            status, headers = hosted.refusals.pop(0)
            return self.answer(status, headers, b"<html>refused</html>")
        start, headers = 0, {"Content-Type": hosted.content_type}
        if hosted.etag:
            headers["ETag"] = hosted.etag
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in (None, hosted.etag) or not hosted.heeds_if_range
        if wanted and hosted.ranges and same:
            start = int(wanted[1])
            if start >= len(hosted.content):
                return self.answer(416, {"Content-Range": f"bytes */{len(hosted.content)}"}, b"")
            end = len(hosted.content) if hosted.piece is None else start + hosted.piece
            body = hosted.content[start:end]
            headers["Content-Range"] = f"bytes {start}-{start + len(body) - 1}/{len(hosted.content)}"
        else:
            body = hosted.content
        if hosted.announced is not None and not start:
            headers["Content-Length"] = str(hosted.announced)
        limit = hosted.drops.pop(0) if hosted.drops else hosted.always_drop
        return self.answer(206 if start else 200, headers, body, limit, hosted.pause_s)

    def do_POST(self):
        self.take("POST", self.server.posts)

    def do_PUT(self):
        self.take("PUT", self.server.puts)

    def take(self, method, answers):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((method, self.path, dict(self.headers)))
        answer = answers.get(self.path)
        if answer is None:
            return self.answer(404, {}, b"")
        return self.answer(*answer(dict(self.headers), body))

    def answer(self, status, headers, body, limit=None, pause_s=0.0):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        sent = body if limit is None else body[:limit]
        for start in range(0, len(sent), 1 << 16):
            if pause_s:  # tests of waiting replace time.sleep
                time.sleep(pause_s)
            self.wfile.write(sent[start : start + (1 << 16)])
        if limit is not None or int(headers.get("Content-Length", len(body))) != len(body):
            self.close_connection = True


@pytest.fixture
def web(monkeypatch):
    """The server; proxies of the environment are kept out of it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = WebServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hosted(web):
    """Put a file on the server: hosted("/a.bin", b"...", drops=[10]) -> its address."""

    def host(path, content, **how):
        web.files[path] = Hosted(content, **how)
        return web.url(path)

    return host


KEY = "s3cret-key"
SIGNATURE = "s3cret-signature"


class KaggleStandIn:
    """What KaggleApi 2.2.4 talks to when it downloads: JSON by POST, a redirect to a signed address at a storage."""

    def __init__(self, web):
        self.web = web
        self.asked = []  # (path, JSON of the request, Authorization)
        self.refusals = []  # (status, body) before anything is given
        self.active_token = None
        web.posts |= {
            "/v1/competitions.CompetitionApiService/DownloadDataFiles": self._competition,
            "/v1/datasets.DatasetApiService/DownloadDataset": self._dataset,
            "/v1/security.OAuthService/IntrospectToken": self._token,
        }

    def _answer(self, what, headers, body, path):
        self.asked.append((what, json.loads(body), headers.get("Authorization")))
        if self.refusals:
            status, message = self.refusals.pop(0)
            said = json.dumps({"code": message[0], "message": message[1]}).encode()
            return status, {"Content-Type": "application/json"}, said
        return 302, {"Location": self.web.url(f"{path}?X-Goog-Signature={SIGNATURE}")}, b""

    def _competition(self, headers, body):
        return self._answer("competition", headers, body, f"/storage/{json.loads(body)['competitionName']}/archive.zip")

    def _dataset(self, headers, body):
        return self._answer("dataset", headers, body, f"/storage/{json.loads(body)['datasetSlug']}.zip")

    def _token(self, headers, body):
        active = json.loads(body)["token"] == self.active_token
        answer = {"active": active, "username": "jane" if active else ""}
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


@pytest.fixture
def without_credentials(tmp_path_factory, monkeypatch):
    """No credentials of whoever runs the tests."""
    home = tmp_path_factory.mktemp("home")
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_V1_TOKEN", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home))


@pytest.fixture
def kaggle_site(web, without_credentials, monkeypatch):
    """The stand-in, with the real client pointed at it and credentials of the older kind in the environment."""
    from kagglesdk import kaggle_env

    # The client has no setting for the address of the public site: build_kaggle_client always asks for PROD.
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, web.url(""))
    monkeypatch.setenv("KAGGLE_USERNAME", "jane")
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    return KaggleStandIn(web)
