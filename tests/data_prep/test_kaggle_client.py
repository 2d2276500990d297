"""The real Kaggle client against a local stand-in for its site; no network."""

import base64
import hashlib
import subprocess
import sys
from types import SimpleNamespace

import pytest

from data_prep import download as download_module
from data_prep.download import DownloadError, Patience, download
from data_prep.errors import ConfigError
from data_prep.kaggle_client import competition_files, connect, dataset_files, without_secrets

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(max_tries=3, first_wait_s=0.001)


def test_without_credentials_the_error_says_how_to_give_them(web, without_credentials, monkeypatch, capsys):
    from kagglesdk import kaggle_env

    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, web.url(""))
    with pytest.raises(ConfigError, match="no credentials; set KAGGLE_API_TOKEN"):
        connect()
    assert capsys.readouterr().out == ""


def test_a_token_is_checked_and_sent_and_a_wrong_one_is_no_credential(kaggle_site, hosted, tmp_path, monkeypatch):
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "s3cret-token")
    with pytest.raises(ConfigError, match="no credentials") as caught:
        connect()
    assert "s3cret" not in str(caught.value)
    kaggle_site.active_token = "s3cret-token"
    hosted("/storage/cars196.zip", CONTENT)
    download(dataset_files(connect(), "rvnrvn1/cars196"), tmp_path / "a.zip", patience=QUICK)
    assert kaggle_site.asked[-1][2] == "Bearer s3cret-token"


def test_a_site_that_cannot_be_reached_is_an_error_without_the_token(kaggle_site, monkeypatch):
    from kagglesdk import kaggle_env

    monkeypatch.setenv("KAGGLE_API_TOKEN", "s3cret-token")
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, "http://127.0.0.1:1")
    with pytest.raises(ConfigError, match="could not check the credentials") as caught:
        connect()
    assert "s3cret" not in str(caught.value) and caught.value.__suppress_context__


def test_a_competition_comes_from_the_storage_the_site_points_to(kaggle_site, web, hosted, tmp_path):
    hosted("/storage/products-10k/archive.zip", CONTENT)
    remote = competition_files(connect(), "products-10k")
    assert download(remote, tmp_path / "a.zip", patience=QUICK) == SHA256
    (what, request, authorization), *_ = kaggle_site.asked
    assert what == "competition" and request == {"competitionName": "products-10k"}
    assert base64.b64decode(authorization.removeprefix("Basic ")) == b"jane:s3cret-key"


def test_a_dropped_data_set_goes_on_with_a_fresh_address(kaggle_site, web, hosted, tmp_path):
    hosted("/storage/cars196.zip", CONTENT, drops=[None, 100_000])  # the client itself opens it once
    remote = dataset_files(connect(), "rvnrvn1/cars196/7")
    assert download(remote, tmp_path / "a.zip", patience=QUICK) == SHA256
    assert [request for _, request, _ in kaggle_site.asked] == [
        {"ownerSlug": "rvnrvn1", "datasetSlug": "cars196", "datasetVersionNumber": 7}
    ] * 2
    assert "bytes=100000-" in web.sent_headers("Range")


def test_rules_that_were_not_accepted_say_where_to_accept_them(kaggle_site, tmp_path):
    said = (403, "You must accept this competition's rules before you'll be able to download files.")
    kaggle_site.refusals = [(403, said)]
    with pytest.raises(DownloadError, match=r"status 403: accept the rules at https://www\.kaggle\.com/c/products-10k/rules"):
        download(competition_files(connect(), "products-10k"), tmp_path / "a.zip", patience=QUICK)
    assert len(kaggle_site.asked) == 1


def test_a_refusal_inside_a_successful_answer_is_a_refusal(kaggle_site, tmp_path):
    kaggle_site.refusals = [(200, (404, "not found"))]
    with pytest.raises(DownloadError, match="status 404: no such data set"):
        download(dataset_files(connect(), "rvnrvn1/cars196"), tmp_path / "a.zip", patience=QUICK)
    assert list(tmp_path.glob("a.zip*")) == []


def test_a_site_that_sends_the_bytes_itself_is_taken_as_it_is(kaggle_site, web, tmp_path):
    web.posts["/v1/datasets.DatasetApiService/DownloadDataset"] = lambda headers, body: (200, {}, CONTENT)
    remote = dataset_files(connect(), "rvnrvn1/cars196")
    assert download(remote, tmp_path / "a.zip", patience=QUICK) == SHA256


def test_429_and_500_of_the_site_are_waited_out(kaggle_site, hosted, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(download_module.time, "sleep", waits.append)
    kaggle_site.refusals = [(429, (429, "slow down")), (500, (500, "oops"))]
    hosted("/storage/products-10k/archive.zip", CONTENT)
    assert download(competition_files(connect(), "products-10k"), tmp_path / "a.zip", patience=QUICK) == SHA256
    assert len(waits) == 2


def test_no_secret_is_said_whatever_fails(kaggle_site, web, hosted, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download_module.time, "sleep", lambda seconds: None)
    client = connect()
    kept = []
    for name in ("products-10k", "nothing-there"):
        hosted("/storage/products-10k/archive.zip", CONTENT, always_drop=50, ranges=False)
        with pytest.raises(DownloadError) as caught:
            download(competition_files(client, name), tmp_path / f"{name}.zip", patience=QUICK)
        kept += [str(caught.value), *(path.read_text(errors="replace") for path in tmp_path.glob("*.json"))]
    assert any("X-Goog-Signature=s3cret" in path for _, path, _ in web.requests)  # there was one to be said
    shown = capsys.readouterr()
    assert "s3cret" not in "".join(kept) + shown.out + shown.err
    assert without_secrets("key s3cret-key, jane", client) == "key ***, jane"
    assert without_secrets("nothing held", SimpleNamespace()) == "nothing held"


@pytest.mark.parametrize("name", ["cars196", "/cars196", "rvnrvn1/", "rvnrvn1/cars196/new"])
def test_a_data_set_s_name_has_an_owner_and_a_number(name):
    with pytest.raises(ConfigError, match="expected owner/name"):
        dataset_files(None, name)


def test_the_library_is_not_loaded_before_it_is_needed():
    code = "import sys, data_prep.kaggle_client; sys.exit('kaggle' in sys.modules or 'kagglesdk' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
