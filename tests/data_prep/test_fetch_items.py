import pytest

from data_prep.download import DownloadError
from data_prep.fetch_items import items_of
from data_prep.part_file import Expected
from data_prep.sources import SOURCES
from data_prep.sources.source import ByRequest, KaggleCompetition, KaggleDataset, Packed, RemoteFile, Urls


def test_a_competition_and_a_data_set_are_one_archive_each_named_after_them():
    train = Packed("train.zip", "train")
    (item,) = items_of(KaggleCompetition("toys-2020", (train,)))
    assert (item.packed, item.identity) == (Packed("toys-2020.zip"), "kaggle competition toys-2020")
    assert item.inner_archives == (train,)
    (item,) = items_of(KaggleDataset("jane/toys/3", root_has=("images",)))
    assert item.packed == Packed("toys.zip", root_has=("images",)) and item.identity == "kaggle data set jane/toys/3"


def test_an_address_gives_name_and_identity_and_hides_what_could_be_a_secret():
    (item,) = items_of(Urls((RemoteFile("https://jane:pw@a.org/b/c.tar?key=s3cret", "into", ("x",), 7, md5="ab"),)))
    assert item.packed == Packed("c.tar", "into", ("x",)) and item.identity == "https://a.org/b/c.tar ab"


def test_what_is_published_is_expected_and_an_md5_may_be_a_file_of_its_own(hosted, tmp_path):
    url = hosted("/a.tar", b"content")
    (item,) = items_of(Urls((RemoteFile(url, size_bytes=7, sha256="cd"),)))
    assert item.expected(tmp_path) == Expected(7, "cd", None)
    (item,) = items_of(Urls((RemoteFile(url, md5_url=hosted("/a.md5", b"0" * 32 + b"  a.tar\n")),)))
    assert item.expected(tmp_path) == Expected(None, None, "0" * 32) and list(tmp_path.iterdir()) == []
    (item,) = items_of(Urls((RemoteFile(url, md5_url=hosted("/a.md5", b"<html>\n")),)))
    with pytest.raises(DownloadError, match=r"a\.md5: expected an md5, got '<html>'"):
        item.expected(tmp_path)


def test_no_two_files_of_a_known_data_set_have_one_name_in_one_place():
    plans = {key: source.fetch_plan for key, source in SOURCES.items()}
    for key, plan in plans.items():
        if not isinstance(plan, ByRequest):
            items = items_of(plan)
            assert len({(item.packed.into, item.packed.name) for item in items}) == len(items) > 0, key
