import hashlib
import json
import shutil
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from data_prep import download as module
from data_prep.download import DownloadError, Patience, download
from data_prep.part_file import Expected
from data_prep.remote import remote_url

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(max_tries=3, first_wait_s=0.001)


@pytest.fixture
def waits(monkeypatch):
    """The waits asked for, not waited."""
    asked = []
    monkeypatch.setattr(module.time, "sleep", asked.append)
    return asked


def fetch(url, path, patience=QUICK, **expected):
    return download(remote_url(url), path, Expected(**expected), patience)


def test_a_plain_file_arrives_whole_with_nothing_beside_it(hosted, tmp_path, capsys):
    path = tmp_path / "new" / "a.bin"
    assert fetch(hosted("/a.bin", CONTENT), path, size_bytes=len(CONTENT), sha256=SHA256.upper()) == SHA256
    assert path.read_bytes() == CONTENT and [p.name for p in path.parent.iterdir()] == ["a.bin"]
    shown = capsys.readouterr().err
    assert "1.02M/1.02M" in shown and "B/s" in shown


def test_a_dropped_connection_goes_on_where_it_stopped(web, hosted, tmp_path, waits):
    url = hosted("/a.bin", CONTENT, drops=[300_000, 200_000])
    assert fetch(url, tmp_path / "a.bin") == SHA256
    assert web.sent_headers("Range") == [None, "bytes=300000-", "bytes=500000-"]
    assert web.sent_headers("If-Range") == [None, '"one"', '"one"']
    assert len(waits) == 2


def test_a_server_that_answers_in_pieces_is_asked_for_all_of_them(web, hosted, tmp_path, waits):
    url = hosted("/a.bin", CONTENT, drops=[24_000], piece=500_000)
    assert fetch(url, tmp_path / "a.bin") == SHA256
    assert web.sent_headers("Range") == [None, "bytes=24000-", "bytes=524000-"]


def test_without_range_support_it_starts_again(web, hosted, tmp_path, waits):
    url = hosted("/a.bin", CONTENT, drops=[300_000], ranges=False)
    assert fetch(url, tmp_path / "a.bin") == SHA256
    assert web.sent_headers("Range") == [None, "bytes=300000-"]


def test_a_server_that_always_drops_at_one_place_is_given_up(web, hosted, tmp_path, waits):
    url = hosted("/a.bin", CONTENT, always_drop=1000, ranges=False)
    with pytest.raises(DownloadError, match=r"broke off; gave up after 3 tries .* at 1,000 of 1,024,000 bytes"):
        fetch(url, tmp_path / "a.bin")
    assert len(web.requests) == 4 and not (tmp_path / "a.bin").exists()


def test_any_number_of_drops_is_borne_while_bytes_come(web, hosted, tmp_path, waits):
    assert fetch(hosted("/a.bin", CONTENT, always_drop=100_000), tmp_path / "a.bin") == SHA256
    assert len(web.requests) == 11


def test_an_announced_length_that_never_comes_is_an_error(hosted, tmp_path, waits):
    url = hosted("/a.bin", CONTENT, announced=len(CONTENT) + 5)
    with pytest.raises(DownloadError, match="gave up after 3 tries"):
        fetch(url, tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


def test_an_announced_length_that_is_too_short_is_found_by_the_size_or_the_checksum(hosted, tmp_path, waits):
    url = hosted("/a.bin", CONTENT, announced=1000)
    with pytest.raises(DownloadError, match=r"expected 1,024,000 bytes, got 1,000 announced"):
        fetch(url, tmp_path / "a.bin", size_bytes=len(CONTENT))
    with pytest.raises(DownloadError, match=f"expected {SHA256}; the copy was deleted"):
        fetch(url, tmp_path / "a.bin", sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_wrong_checksum_leaves_nothing(hosted, tmp_path, algorithm):
    wrong = hashlib.new(algorithm, b"other").hexdigest()
    right = hashlib.new(algorithm, CONTENT).hexdigest()
    with pytest.raises(DownloadError, match=f"{algorithm} of what came is {right}, expected {wrong}"):
        fetch(hosted("/a.bin", CONTENT), tmp_path / "a.bin", **{algorithm: wrong})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "said"), [(403, "refuses access"), (404, "no such file"), (418, "that is no file")])
def test_a_final_refusal_is_not_tried_again(web, hosted, tmp_path, waits, status, said):
    url = hosted("/a.bin", CONTENT, refusals=[(status, {})] * 9)
    with pytest.raises(DownloadError, match=rf"http://127.0.0.1:\d+/a.bin: status {status}: .*{said}"):
        fetch(url, tmp_path / "a.bin")
    assert len(web.requests) == 1 and waits == [] and list(tmp_path.iterdir()) == []


def test_passing_refusals_are_waited_out_longer_each_time(hosted, tmp_path, waits):
    url = hosted("/a.bin", CONTENT, refusals=[(500, {}), (503, {}), (429, {})])
    assert fetch(url, tmp_path / "a.bin", Patience(max_tries=4, first_wait_s=1.0)) == SHA256
    assert [0.75 * 2**n <= wait <= 1.25 * 2**n for n, wait in enumerate(waits)] == [True] * 3


def test_refusals_without_end_are_given_up(web, hosted, tmp_path, waits):
    with pytest.raises(DownloadError, match="status 500; gave up after 3 tries"):
        fetch(hosted("/a.bin", CONTENT, refusals=[(500, {})] * 9), tmp_path / "a.bin")
    assert len(web.requests) == 3


def test_retry_after_is_honoured_as_seconds_and_as_a_date(hosted, tmp_path, waits):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    url = hosted("/a.bin", CONTENT, refusals=[(429, {"Retry-After": "17"}), (503, {"Retry-After": date})])
    fetch(url, tmp_path / "a.bin")
    assert waits[0] == 17 and 90 < waits[1] <= 100


def test_a_retry_after_beyond_patience_says_when_to_come_back(hosted, tmp_path, waits):
    url = hosted("/a.bin", CONTENT, refusals=[(429, {"Retry-After": "7200"})])
    with pytest.raises(DownloadError, match="come back in 120 minutes"):
        fetch(url, tmp_path / "a.bin")
    assert waits == []


def interrupted(hosted, tmp_path, **how):
    """A first process that got 300,000 bytes."""
    url = hosted("/a.bin", CONTENT, drops=[300_000], refusals=[], **how)
    with pytest.raises(KeyboardInterrupt):
        fetch(url, tmp_path / "a.bin")
    return url


@pytest.fixture
def killed_while_waiting(monkeypatch):
    def stop(seconds):
        monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
        raise KeyboardInterrupt

    monkeypatch.setattr(module.time, "sleep", stop)


def test_another_process_goes_on_with_the_same_object(web, hosted, tmp_path, killed_while_waiting):
    url = interrupted(hosted, tmp_path)
    assert (tmp_path / "a.bin.part").stat().st_size == 300_000
    assert fetch(url, tmp_path / "a.bin") == SHA256
    assert web.sent_headers("Range")[-1] == "bytes=300000-"


def test_another_process_never_mixes_two_objects(web, hosted, tmp_path, killed_while_waiting):
    interrupted(hosted, tmp_path)
    newer = CONTENT[::-1]
    url = hosted("/a.bin", newer, etag='"two"')
    assert fetch(url, tmp_path / "a.bin") == hashlib.sha256(newer).hexdigest()
    assert web.sent_headers("If-Range")[-1] == '"one"'  # and the server, seeing that, sent the whole


def test_a_server_that_ignores_if_range_does_not_mix_two_objects(web, hosted, tmp_path, killed_while_waiting):
    interrupted(hosted, tmp_path)
    newer = CONTENT[::-1]
    url = hosted("/a.bin", newer, etag='"two"', heeds_if_range=False)
    assert fetch(url, tmp_path / "a.bin") == hashlib.sha256(newer).hexdigest()
    assert web.sent_headers("Range")[-2:] == ["bytes=300000-", None]


@pytest.mark.parametrize("known", [{}, {"sha256": SHA256}])
def test_without_an_etag_another_process_goes_on_only_if_a_checksum_decides(
    web, hosted, tmp_path, killed_while_waiting, known
):
    url = interrupted(hosted, tmp_path, etag=None)
    assert fetch(url, tmp_path / "a.bin", **known) == SHA256
    assert web.sent_headers("Range")[-1] == ("bytes=300000-" if known else None)


def test_a_part_longer_than_the_file_is_cut_and_asked_about(web, hosted, tmp_path, killed_while_waiting):
    url = interrupted(hosted, tmp_path)
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"more")
    assert fetch(url, tmp_path / "a.bin") == SHA256
    assert web.sent_headers("Range")[-1] == "bytes=1023999-"


def test_a_web_page_in_place_of_the_file_is_refused(hosted, tmp_path):
    url = hosted("/a.zip", b"<html>sign in</html>", content_type="text/html; charset=utf-8")
    with pytest.raises(DownloadError, match=r"a web page came in place of a\.zip"):
        fetch(url, tmp_path / "a.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_seen_before_the_first_byte(hosted, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, module.SPARE_BYTES + 2 * len(CONTENT) - 1))
    url = hosted("/a.zip", CONTENT)
    with pytest.raises(DownloadError, match=r"0\.2 GB of disk space needed for a\.zip and its content"):
        download(remote_url(url), tmp_path / "a.zip", patience=QUICK, room=2.0)
    assert not (tmp_path / "a.zip.part").exists()
    assert download(remote_url(url), tmp_path / "a.zip", patience=QUICK, room=1.9) == SHA256


def test_secrets_of_an_address_are_neither_printed_nor_kept(web, hosted, tmp_path, monkeypatch, capsys):
    hosted("/a.bin", CONTENT, drops=[1000], refusals=[(500, {})])
    url = web.url("/a.bin").replace("//", "//jane:pa55word@") + "?Signature=s3cret"
    notes = []
    monkeypatch.setattr(
        module.time, "sleep", lambda seconds: notes.extend(path.read_text() for path in tmp_path.glob("*.json"))
    )
    fetch(url, tmp_path / "a.bin")
    assert notes and json.loads(notes[0])["from"] == web.url("/a.bin")
    gone = "http://jane:pa55word@127.0.0.1:1/a.bin?Signature=s3cret"  # nobody listens there
    with pytest.raises(DownloadError, match="no connection") as caught:
        fetch(gone, tmp_path / "b.bin")
    said = str(caught.value) + capsys.readouterr().err + str(notes)
    assert "s3cret" not in said and "pa55word" not in said
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
