import io

import numpy as np
import pytest
import torch
from PIL import Image

from data_prep.errors import ConfigError
from data_prep.images import prepare_image
from data_prep.shard_plan import ImageSettings
from train.data.picture_embeddings import RawPictures, cached_embeddings
from train.data.preprocessing import PreprocessSpec, resize_image

SPEC = PreprocessSpec(8, (0.5,) * 3, (0.5,) * 3, "shortest_crop")
PACKING = ImageSettings(12, 90, False)


@pytest.fixture
def raw_root(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(5):
        Image.fromarray(rng.integers(0, 255, (30, 20, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    return tmp_path


def pictures(raw_root, n=5, packing=PACKING):
    return RawPictures(raw_root, [f"{number}.png" for number in range(n)], packing, SPEC, batch_size=2)


def means(images):
    return images.mean(dim=(2, 3))  # [B, 3]


def test_pictures_are_seen_as_packed(raw_root):
    batch = pictures(raw_root)[1]
    assert batch.shape == (2, 8, 8, 3) and batch.dtype == torch.uint8
    packed = Image.open(io.BytesIO(prepare_image((raw_root / "3.png").read_bytes(), 12, 90).jpeg))
    assert np.array_equal(batch[1].numpy(), np.asarray(resize_image(packed, SPEC)))
    assert len(pictures(raw_root)) == 3 and len(pictures(raw_root)[2]) == 1


def test_a_file_that_broke_since_is_named(raw_root):
    (raw_root / "1.png").write_bytes(b"<html>")
    with pytest.raises(ConfigError, match=r"1.png: changed since the decode check: html page"):
        pictures(raw_root)[0]
    (raw_root / "1.png").unlink()
    with pytest.raises(ConfigError, match=r"1.png: changed since"):
        pictures(raw_root)[0]


def test_made_once_for_one_identity(raw_root):
    calls = []

    def encode(images):
        calls.append(len(images))
        return means(images)

    def embed(identity="a", packing=PACKING, n=5):
        return cached_embeddings(pictures(raw_root, n, packing), (encode, 3), {"tower": identity}, raw_root / "c", 1)

    first = embed()
    assert first.shape == (5, 3) and calls == [2, 2, 1]
    by_hand = pictures(raw_root)[1][0].numpy().astype(np.float64).mean(axis=(0, 1)) / 255 * 2 - 1  # (x - 0.5) / 0.5
    assert np.allclose(first[2], by_hand, atol=1e-5)
    assert np.array_equal(embed(), first) and calls == [2, 2, 1]
    embed(identity="b")
    embed(packing=ImageSettings(10, 90, False))
    assert calls == [2, 2, 1] * 3


def test_worker_processes_give_the_same(raw_root):
    alone, together = (
        np.array(cached_embeddings(pictures(raw_root), (means, 3), {}, raw_root / str(n), n)) for n in (1, 2)
    )
    assert np.array_equal(alone, together)
