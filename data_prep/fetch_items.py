"""What a fetch plan comes to: the files to fetch, one by one, and what is known of each beforehand."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from data_prep.download import DownloadError, download
from data_prep.kaggle_client import competition_files, connect, dataset_files
from data_prep.part_file import Expected
from data_prep.remote import Remote, remote_url, shown
from data_prep.sources.source import FetchPlan, KaggleCompetition, KaggleDataset, Packed, RemoteFile


def items_of(plan: FetchPlan) -> list["Item"]:
    """The files of a plan that a program can carry out, in their order; nothing is asked of anybody yet."""
    kaggle = _Kaggle()
    if isinstance(plan, KaggleCompetition):
        remote = lambda: competition_files(kaggle.client, plan.name)  # noqa: E731
        packed = Packed(f"{plan.name}.zip")
        return [Item(packed, f"kaggle competition {plan.name}", remote, lambda _: Expected(), plan.inner_archives)]
    if isinstance(plan, KaggleDataset):
        remote = lambda: dataset_files(kaggle.client, plan.name)  # noqa: E731
        packed = Packed(f"{plan.name.split('/')[1]}.zip", root_has=plan.root_has)
        return [Item(packed, f"kaggle data set {plan.name}", remote, lambda _: Expected())]
    return [_url_item(file) for file in plan.files]


def _url_item(file: RemoteFile) -> "Item":
    packed = Packed(shown(file.url).rsplit("/", 1)[1], file.into, file.root_has)
    identity = " ".join(filter(None, (shown(file.url), file.sha256, file.md5)))
    return Item(packed, identity, lambda: remote_url(file.url), lambda work: _expected(file, work))


def _expected(file: RemoteFile, work: Path) -> Expected:
    """What is published about a file; its md5 may be in a file of its own."""
    md5 = file.md5
    if file.md5_url:
        path = work / f"{shown(file.url).rsplit('/', 1)[1]}.md5"
        download(remote_url(file.md5_url), path)
        words = path.read_text(encoding="utf-8", errors="replace").split()
        path.unlink()
        if not words or not re.fullmatch(r"[0-9a-fA-F]{32}", words[0]):
            raise DownloadError(f"{shown(file.md5_url)}: expected an md5, got {' '.join(words)[:80]!a}")
        md5 = words[0]
    return Expected(file.size_bytes, file.sha256, md5)


@dataclass(frozen=True)
class Item:
    """One file to fetch: its name and place, where from, and what is inside."""

    packed: Packed  # a plain file is named and placed by it too
    identity: str  # in the done-marker: another address or checksum is another file
    remote: Callable[[], Remote]
    expected: Callable[[Path], Expected]
    inner_archives: tuple[Packed, ...] = ()


class _Kaggle:
    """Connects when it is first needed: what is done already needs no credentials."""

    @cached_property
    def client(self) -> Any:
        return connect()
