"""Thumbnails: their size and colour, and that each file is read once, in one thread."""

import base64
import io
import threading

import numpy as np
import pytest
from PIL import Image

from submission.evaluation_set import EvaluationSet
from submission.report.thumbnails import THUMBNAIL_PX, apply_to_files, encode_thumbnails, open_small


def files(contents, read=None):
    return EvaluationSet(None, read or contents.__getitem__, {}, "", "")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_large_picture_becomes_a_small_one_of_its_shape_and_colour(picture, kind):
    [url] = encode_thumbnails(files([picture((200, 30, 30), kind=kind)]), [0]).values()
    kept = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/webp;base64,"))))
    assert kept.format == "WEBP" and kept.size == (THUMBNAIL_PX, round(THUMBNAIL_PX * 400 / 900))
    assert np.abs(np.asarray(kept.convert("RGB")).mean(axis=(0, 1)) - (200, 30, 30)).max() < 8


def test_small_pictures_are_not_blown_up_and_photographs_are_decoded_reduced(picture):
    assert open_small(picture("red", (30, 20)), 64).size == (30, 20)
    assert open_small(picture("red", (4000, 3000)), 64).size == (500, 375)
    assert open_small(picture("red", (4000, 3000)), 1000).size == (2000, 1500)


def test_each_file_is_read_once_by_the_caller(picture):
    seen = []

    def read(row):
        seen.append((row, threading.get_ident()))
        return bytes([row])

    found = apply_to_files(lambda content: content[0] + 1, files(None, read), [7, 3, 7, *range(100, 200)])
    assert found == {row: row + 1 for row in (3, 7, *range(100, 200))}
    assert [row for row, _ in seen] == sorted(found) and {thread for _, thread in seen} == {threading.get_ident()}
