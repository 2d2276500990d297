"""Whole fetches from the local server and the Kaggle stand-in, through the readers of the real sources."""

import dataclasses
import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep import fetch
from data_prep.download import DownloadError, Patience
from data_prep.errors import ConfigError
from data_prep.fetch import fetch_source, main
from data_prep.sources import SOURCES
from data_prep.sources.generic import generic_source
from data_prep.sources.source import KaggleDataset, RemoteFile, Source, Urls, source_rows

ROOT = Path(__file__).parents[2]
QUICK = Patience(max_tries=2, first_wait_s=0.001)


@pytest.fixture
def products(pack):
    """What Kaggle sends of Products-10K."""
    return pack("products-10k.zip", {
        "train.csv": b"name,class,group\n3.jpg,0,0\n4.jpg,0,0\n",
        "train.zip": pack("train.zip", {"train/3.jpg": b"3", "train/4.jpg": b"4"}),
        "test.zip": pack("test.zip", {"9.jpg": b"9"}),
        "test_kaggletest.csv": b"name,class,Usage\n9.jpg,0,Public\n10.jpg,0,Private\n",
    })


def landmarks(hosted, pack, md5=None):
    """Two of Google Landmarks' files, as its plan describes them."""
    picture = "train/0/1/2/012abc.jpg"
    tar = pack("images_000.tar", {picture.removeprefix("train/"): b"picture"})
    url = hosted("/train/images_000.tar", tar)
    digest = (md5 or hashlib.md5(tar).hexdigest()) + "  images_000.tar\n"
    files = (
        RemoteFile(hosted("/metadata/train_clean.csv", b"landmark_id,images\n7,012abc 99ffff\n"), "metadata"),
        RemoteFile(url, "train", md5_url=hosted("/md5/train/md5.images_000.txt", digest.encode())),
    )
    return dataclasses.replace(SOURCES["gldv2"], fetch_plan=Urls(files))


def test_a_competition_ends_as_a_folder_that_its_reader_reads(kaggle_site, web, hosted, tmp_path, products, capsys):
    hosted("/storage/products-10k/archive.zip", products, drops=[None, 300])
    assert main(["products_10k", "--raw-root", str(tmp_path), "--accept-terms"]) == 0
    assert "products-10k: 4 images listed, 1 without a file" in capsys.readouterr().out
    folder = tmp_path / "products-10k"
    assert sorted(path.name for path in folder.iterdir()) == [
        ".fetched", "test", "test_kaggletest.csv", "train", "train.csv"
    ]
    assert (folder / "train" / "3.jpg").read_bytes() == b"3" and (folder / "test" / "9.jpg").read_bytes() == b"9"
    assert [path.name for path in (folder / ".fetched").iterdir()] == ["products-10k.zip.done.json"]
    n_requests = len(web.requests)
    assert main(["products_10k", "--raw-root", str(tmp_path), "--accept-terms"]) == 0
    assert len(web.requests) == n_requests  # the marker is enough, not even credentials are asked for


def test_a_kaggle_data_set_is_fetched_by_its_owner_and_name(kaggle_site, hosted, pack, tmp_path):
    hosted("/storage/some-toys.zip", pack("some-toys.zip", {"1.jpg": b"1"}))
    toys = Source(
        "toys", "toys", "Toys", "free", "", "", "toys", lambda folder: source_rows(["a"], ["1.jpg"]),
        KaggleDataset("jane/some-toys"),
    )
    assert fetch_source(toys, tmp_path, QUICK) == {"listed": 1, "missing": 0}
    assert (tmp_path / "toys" / "1.jpg").read_bytes() == b"1"
    assert kaggle_site.asked[0][1] == {"ownerSlug": "jane", "datasetSlug": "some-toys"}


def test_rules_not_accepted_is_one_error_without_secrets(kaggle_site, tmp_path, capsys):
    kaggle_site.refusals = [(403, (403, "You must accept this competition's rules"))]
    assert main(["products_10k", "--raw-root", str(tmp_path), "--accept-terms"]) == 1
    shown = capsys.readouterr()
    assert "error: Kaggle competition products-10k: status 403: accept the rules at https://" in shown.err
    assert "s3cret" not in shown.out + shown.err
    assert not (tmp_path / "products-10k" / "train.csv").exists()


def test_addresses_with_checksums_come_in_order_and_once(web, hosted, pack, tmp_path):
    source, told = landmarks(hosted, pack), []
    assert fetch_source(source, tmp_path, QUICK, told.append) == {"listed": 2, "missing": 1}
    assert told[-1] == "[2/2] images_000.tar: unpacking"
    n_requests = len(web.requests)
    fetch_source(source, tmp_path, QUICK, told.append)
    assert len(web.requests) == n_requests and told[-1] == "[2/2] images_000.tar: done before"


def test_what_was_deleted_is_fetched_again_and_so_is_a_changed_file(web, hosted, pack, tmp_path):
    source = landmarks(hosted, pack)
    fetch_source(source, tmp_path, QUICK)
    (tmp_path / "gldv2" / "metadata" / "train_clean.csv").unlink()
    n_requests = len(web.requests)
    fetch_source(source, tmp_path, QUICK)
    assert [path for _, path, _ in web.requests[n_requests:]] == ["/metadata/train_clean.csv"]
    listed, tar = source.fetch_plan.files
    content = web.files["/metadata/train_clean.csv"].content
    pinned = dataclasses.replace(listed, sha256=hashlib.sha256(content).hexdigest())
    fetch_source(dataclasses.replace(source, fetch_plan=Urls((pinned, tar))), tmp_path, QUICK)
    assert len(web.requests) == n_requests + 2


def test_a_wrong_md5_and_an_md5_file_that_is_none_are_errors(hosted, pack, tmp_path):
    with pytest.raises(DownloadError, match=r"images_000\.tar: md5 of what came"):
        fetch_source(landmarks(hosted, pack, md5="0" * 32), tmp_path, QUICK)
    with pytest.raises(DownloadError, match=r"md5\.images_000\.txt: expected an md5, got 'nothing"):
        fetch_source(landmarks(hosted, pack, md5="nothing"), tmp_path, QUICK)
    assert not (tmp_path / "gldv2" / "train").exists()


def test_an_interruption_while_unpacking_goes_on_without_fetching_again(web, hosted, tmp_path, pack, monkeypatch):
    source = landmarks(hosted, pack)

    def interrupted(archive, folder, root_has):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "unpack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch_source(source, tmp_path, QUICK)
    n_requests = len(web.requests)
    assert fetch_source(source, tmp_path, QUICK) == {"listed": 2, "missing": 1}
    assert len(web.requests) == n_requests


def test_a_damaged_archive_is_deleted_and_a_hostile_one_named(web, hosted, pack, tmp_path):
    source = landmarks(hosted, pack)
    lists, tar = source.fetch_plan.files
    source = dataclasses.replace(source, fetch_plan=Urls((lists, dataclasses.replace(tar, md5_url=None))))
    whole = web.files["/train/images_000.tar"].content
    web.files["/train/images_000.tar"].content = whole[:515]
    with pytest.raises(DownloadError, match=r"'0/1/2/012abc\.jpg'.* damaged.*run the command again"):
        fetch_source(source, tmp_path, QUICK)
    web.files["/train/images_000.tar"].content = pack("images_000.tar", {"../../evil.jpg": b"evil"})
    with pytest.raises(ConfigError, match=r"member '\.\./\.\./evil\.jpg': its name leaves the folder"):
        fetch_source(source, tmp_path / "second", QUICK)
    assert not list(tmp_path.rglob("evil.jpg"))
    web.files["/train/images_000.tar"].content = whole
    assert fetch_source(source, tmp_path, QUICK)["listed"] == 2


def test_by_request_says_where_to_ask_and_unpacks_what_was_put_there(tmp_path, pack, capsys):
    assert main(["stanford_products", "--raw-root", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    folder = tmp_path / "Stanford_Online_Products"
    assert "get it:  ftp://cs.stanford.edu/" in said and f"put it:  into {folder}/" in said
    assert "Ebay_train.txt" in said
    header = b"image_id class_id super_class_id path\n"
    members = {"Ebay_train.txt": header + b"1 1 1 a_final/1_0.JPG\n", "a_final/1_0.JPG": b"1", "Ebay_test.txt": header}
    folder.mkdir()
    archive = folder / "Stanford_Online_Products.zip"
    members = {f"Stanford_Online_Products/{name}": content for name, content in members.items()}
    archive.write_bytes(pack(archive.name, members))
    assert main(["stanford_products", "--raw-root", str(tmp_path)]) == 0
    assert "1 images listed, 0 without a file" in capsys.readouterr().out
    assert archive.is_file() and (folder / "a_final" / "1_0.JPG").is_file()
    assert main(["stanford_products", "--raw-root", str(tmp_path)]) == 0
    assert "unpacking" not in capsys.readouterr().out


def test_nothing_is_fetched_before_the_terms_are_accepted(tmp_path, capsys):
    assert main(["met", "--raw-root", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "CC BY 4.0" in shown.out and "say --accept-terms" in shown.err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_source_and_somebody_else_s_folder_are_errors(hosted, tmp_path, pack, capsys):
    assert main(["sop"]) == 1
    said = capsys.readouterr().err
    assert "no source 'sop'; known: " in said and all(key in said for key in SOURCES)
    (tmp_path / "gldv2").mkdir()
    (tmp_path / "gldv2" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty, and not made by fetch"):
        fetch_source(landmarks(hosted, pack), tmp_path, QUICK)
    (tmp_path / "gldv2" / "sample_world.json").write_text("{}")
    with pytest.raises(ConfigError, match="a rendered miniature lies there"):
        fetch_source(landmarks(hosted, pack), tmp_path, QUICK)


def test_a_folder_of_one_s_own_has_nothing_to_fetch_and_says_where_it_belongs(tmp_path, capsys):
    own = generic_source("my_toys", "toys", "toys", "class_folders", {})
    with pytest.raises(ConfigError, match=r"my_toys: a folder of your own .*; put the data set of the"):
        fetch_source(own, tmp_path, QUICK)
    assert main(["class_folders"]) == 1
    assert "error: class_folders: a folder of your own that a mixture's `reader:` reads" in capsys.readouterr().err


CHILD = """
import dataclasses, sys
from pathlib import Path
from data_prep import archives
from data_prep.fetch import fetch_source
from data_prep.sources import SOURCES
from data_prep.sources.generic import generic_source
from data_prep.sources.source import RemoteFile, Urls
archives.BLOCK_BYTES = 100  # many small steps, so that a kill finds every one of them
files = [RemoteFile(sys.argv[2] + path, into) for path, into in (("/train_clean.csv", "metadata"), ("/a.tar", "train"))]
fetch_source(dataclasses.replace(SOURCES["gldv2"], fetch_plan=Urls(tuple(files))), Path(sys.argv[1]))
"""


def test_killed_at_any_moment_it_ends_with_the_same_bytes(web, hosted, pack, tmp_path):
    pictures = {f"{n // 100}/{n // 10 % 10}/{n % 10}/{n:03d}.jpg": f"{n}".encode() * 500 for n in range(1000)}
    hosted("/train_clean.csv", b"landmark_id,images\n7," + " ".join(f"{n:03d}" for n in range(1000)).encode() + b"\n")
    hosted("/a.tar", pack("a.tar", pictures), pause_s=0.06)
    draw, n_kills = random.Random(0), 0
    command = [sys.executable, "-c", CHILD, str(tmp_path), web.url("")]
    while True:
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, said = child.communicate(timeout=None if n_kills == 5 else draw.uniform(0.6, 1.5))
            break
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            n_kills += 1
    assert child.returncode == 0, said.decode()
    folder = tmp_path / "gldv2"
    found = {path.relative_to(folder / "train").as_posix(): path.read_bytes() for path in folder.glob("train/**/*.jpg")}
    assert found == pictures
    left = sorted(path.relative_to(folder).as_posix() for path in (folder / ".fetched").rglob("*") if path.is_file())
    assert n_kills >= 1 and left == [
        ".fetched/metadata/train_clean.csv.done.json", ".fetched/train/a.tar.done.json"
    ]
    assert sorted(path.name for path in folder.iterdir()) == [".fetched", "metadata", "train"]


def test_a_marker_says_what_was_fetched_without_secrets(web, hosted, tmp_path):
    hosted("/list.csv", b"x")
    url = web.url("/list.csv").replace("//", "//jane:pa55word@") + "?Signature=s3cret"
    plan = Urls((RemoteFile(url),))
    source = Source("toys", "toys", "Toys", "free", "", "", "toys", lambda folder: source_rows(["a"], ["1.jpg"]), plan)
    fetch_source(source, tmp_path, QUICK)
    note = (tmp_path / "toys" / ".fetched" / "list.csv.done.json").read_text()
    assert json.loads(note)["file"] == web.url("/list.csv")
