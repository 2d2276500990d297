"""The whole road with a tiny random CLIP: raw folders -> scores -> shards."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from PIL import Image

from data_prep.build import main as build_main
from data_prep.files import sha256_of_file
from data_prep.label_scores import load_scores
from data_prep.manifest import load_manifest
from train import score_labels as module
from train.data import picture_embeddings
from train.score_labels import main

REPOSITORY = Path(__file__).parents[2]
TOWER = "tiny-clip-of-the-tests"
CONFIG = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
NAMES = {"1": "sofa", "2": "bed", "3": "lamp"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Folder with the tower's config, known to open_clip, and random weights."""
    import open_clip

    folder = tmp_path_factory.mktemp("clip")
    (folder / f"{TOWER}.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder / f"{TOWER}.json")
    torch.manual_seed(0)
    torch.save(open_clip.create_model(TOWER).state_dict(), folder / "clip.pt")
    return folder


@pytest.fixture
def world(tmp_path):
    """Source `rooms`: classes 1, 2, 3 of eight pictures, one file broken; `plain`: class names as keys."""
    rng = np.random.default_rng(0)
    for source, keys in (("rooms", NAMES), ("plain", ["red_cup", "spoon"])):
        for key in keys:
            for number in range(8):
                path = tmp_path / "raw" / source / key / f"{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                colours = rng.integers(0, 255, (2, 2, 3), dtype=np.uint8)
                Image.fromarray(np.kron(colours, np.ones((15, 15, 1), np.uint8))).save(path)
    (tmp_path / "raw" / "rooms" / "3" / "7.jpg").write_bytes(b"<html>")
    (tmp_path / "names.csv").write_text("class_key,name\n" + "".join(f"{k},{v}\n" for k, v in NAMES.items()))
    write_mixture(tmp_path, {"drop_below": -1.0})
    return tmp_path


def write_mixture(world, rule):
    reader = {"reader": "class_folders", "split": "by_class"}
    sources = [{"source": "rooms", "domain": "rooms", "label_scores": rule, **reader},
               {"source": "plain", "domain": "cups", **reader}]
    tree = {"name": "m", "seed": 0, "image_px": 20, "sources": sources}
    (world / "m.yaml").write_text(yaml.safe_dump(tree))


def arguments(world, clip, *more):
    return [str(world / "m.yaml"), "--raw-root", str(world / "raw"), "--shards-root", str(world / "shards"),
            "--tower", TOWER, "--weights", f"file:{clip / 'clip.pt'}", "--class-names", f"rooms={world / 'names.csv'}",
            "--batch-size", "4", "--workers", "1", *more]


def without_names(args):
    return [argument for argument in args if "names.csv" not in argument and argument != "--class-names"]


def build_args(world):
    return [str(world / "m.yaml"), "--raw-root", str(world / "raw"), "--shards-root", str(world / "shards"),
            "--workers", "1"]


def test_scores_equal_the_models_own_cosines(world, clip):
    import open_clip

    assert main(arguments(world, clip, "--prompt", "a {}", "--prompt", "one {} here")) == 0
    scores = load_scores(world / "raw" / "label_scores.parquet")
    assert scores.height == 23 and scores["source"].unique().to_list() == ["rooms"]
    model = open_clip.create_model(TOWER, pretrained=str(clip / "clip.pt")).eval()
    tokenize = open_clip.get_tokenizer(TOWER)
    row = scores.row(11, named=True)
    picture = Image.open(world / "raw" / row["path"]).resize((20, 20), Image.Resampling.BICUBIC)  # as packed, nearly
    pixels = np.asarray(picture.resize((16, 16), Image.Resampling.BICUBIC)).transpose(2, 0, 1) / 255.0
    mean, std = np.array(open_clip.OPENAI_DATASET_MEAN), np.array(open_clip.OPENAI_DATASET_STD)
    with torch.no_grad():
        image = model.encode_image(torch.tensor((pixels - mean[:, None, None]) / std[:, None, None]).float()[None])
        cosines = {}
        for key, name in NAMES.items():
            texts = torch.nn.functional.normalize(model.encode_text(tokenize([f"a {name}", f"one {name} here"])), dim=1)
            cosines[key] = torch.nn.functional.cosine_similarity(image[0], texts.mean(dim=0), dim=0).item()
    assert abs(row["score"] - cosines[row["class_key"]]) < 0.01
    assert row["best_class_key"] == max(cosines, key=cosines.get)
    assert abs(row["best_score"] - max(cosines.values())) < 0.01
    made_by = pl.read_parquet_metadata(world / "raw" / "label_scores.parquet")
    assert made_by["tower"] == TOWER and made_by["prompts"] == "a {}\none {} here"
    assert made_by["weights_sha256"] == sha256_of_file(clip / "clip.pt")


def test_from_raw_pictures_to_shards(world, clip, capsys):
    """Thresholds at the median of the scores; what the build does is recomputed here from the file of scores."""
    assert build_main(build_args(world)) == 2
    assert "python -m train.score_labels" in capsys.readouterr().err
    assert main(arguments(world, clip)) == 0
    scores = load_scores(world / "raw" / "label_scores.parquet")
    assert scores["decision"].unique().to_list() == ["keep"]
    assert "keep 23, drop 0, relabel 0" in capsys.readouterr().out
    low, high = scores["score"].median(), scores["best_score"].median()
    write_mixture(world, {"drop_below": low, "relabel_above": max(low, high)})
    expected = {"keep": 0, "drop": 0, "relabel": 0}
    n_by_class = dict.fromkeys(NAMES, 0)
    for row in scores.iter_rows(named=True):
        moved = row["best_class_key"] != row["class_key"] and row["best_score"] >= max(low, high)
        decision = "keep" if row["score"] >= low else "relabel" if moved else "drop"
        expected[decision] += 1
        if decision != "drop":
            n_by_class[row["class_key"] if decision == "keep" else row["best_class_key"]] += 1
    assert min(expected.values()) > 0  # a world in which nothing happens shows nothing
    assert build_main(build_args(world)) == 0
    manifest = load_manifest(world / "shards" / "m")
    assert manifest.rejects["label not believed"] == expected["drop"]
    found = {entry.class_key: entry.n_images for entry in manifest.classes if entry.source == "rooms"}
    assert found == {key: n for key, n in n_by_class.items() if n}
    catalogue = pl.read_parquet(world / "shards" / "m" / "catalogue.parquet")
    assert catalogue["listed_class_key"].is_not_null().sum() == expected["relabel"]
    assert catalogue.filter(pl.col("source") == "plain")["label_score"].is_null().all()


def test_embeddings_are_kept_and_new_pictures_need_new_scores(world, clip, monkeypatch, capsys):
    assert main(arguments(world, clip)) == 0
    first = load_scores(world / "raw" / "label_scores.parquet")
    calls = []
    real = picture_embeddings._embedded_batches
    monkeypatch.setattr(picture_embeddings, "_embedded_batches", lambda *a: calls.append(1) or real(*a))
    assert main(arguments(world, clip)) == 0 and not calls
    assert load_scores(world / "raw" / "label_scores.parquet").equals(first)
    assert main(arguments(world, clip, "--prompt", "the {}")) == 0 and not calls  # names are cheap
    assert not load_scores(world / "raw" / "label_scores.parquet").equals(first)
    Image.new("RGB", (30, 30)).save(world / "raw" / "rooms" / "1" / "new.jpg")
    assert build_main(build_args(world)) == 2
    assert "rooms: 1 of 24 pictures have no score" in capsys.readouterr().err
    assert main(arguments(world, clip)) == 0 and calls
    assert build_main(build_args(world)) == 0


def test_a_source_without_thresholds_is_scored_by_name_of_its_folders(world, clip, capsys):
    asked = without_names(arguments(world, clip, "--source", "plain"))
    assert main(asked) == 2
    assert "rooms would lose the scores in the same file" in capsys.readouterr().err
    write_mixture(world, {"drop_below": 0.0, "file": "rooms.parquet"})
    assert main(asked) == 0
    scores = load_scores(world / "raw" / "label_scores.parquet")
    assert scores["decision"].is_null().all() and set(scores["class_key"]) == {"red_cup", "spoon"}
    assert "no thresholds yet" in capsys.readouterr().out


def test_killed_in_the_middle_and_started_again(world, clip):
    """A real kill while pictures are embedded slowly; the second run starts behind what the first had written."""
    code = (
        "import sys, time, open_clip; open_clip.add_model_config(sys.argv[1])\n"
        "from train.model.backbones import open_clip_tower as door\n"
        "real = door.ImageTextModel.embed_images\n"
        "def slow(self, images): time.sleep(0.3); return real(self, images)\n"
        "door.ImageTextModel.embed_images = slow\n"
        "from train.score_labels import main; sys.exit(main(sys.argv[2:]))"
    )
    command = [sys.executable, "-c", code, str(clip / f"{TOWER}.json"), *arguments(world, clip)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL)
    folder = world / "shards" / "m" / "build" / "label_embeddings"
    deadline = time.monotonic() + 120
    batch_bytes = 4 * 12 * 4  # 4 pictures of 12 values
    while process.poll() is None and time.monotonic() < deadline:
        parts = list(folder.glob("*.part"))
        if parts and parts[0].stat().st_size > 2 * batch_bytes:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (part,) = folder.glob("*.part")
    n_bytes = part.stat().st_size
    assert not list(folder.glob("*.npy")) and not (world / "raw" / "label_scores.parquet").exists()
    started = []
    with pytest.MonkeyPatch.context() as patch:
        real = picture_embeddings._embedded_batches
        patch.setattr(picture_embeddings, "_embedded_batches", lambda p, e, first, n: started.append(first) or real(
            p, e, first, n))
        assert main(arguments(world, clip)) == 0
    assert started == [(n_bytes - 128) // batch_bytes] and started[0] >= 1  # 128: the header of a .npy file
    resumed = load_scores(world / "raw" / "label_scores.parquet")
    for path in folder.glob("*"):
        path.unlink()
    assert main(arguments(world, clip)) == 0
    assert load_scores(world / "raw" / "label_scores.parquet").equals(resumed)


@pytest.mark.parametrize("change, part", [
    (["--source", "nonesuch"], "no source 'nonesuch'; known: plain, rooms"),
    (["--class-names", "plain=x.csv"], "no source to score 'plain'; known: rooms"),
    (["--weights", "file:nowhere.pt"], "no file nowhere.pt"),
    (["--tower", "ViT-Z-99"], "no open_clip model 'ViT-Z-99'"),
])
def test_wrong_arguments_end_with_a_sentence(world, clip, change, part, capsys):
    assert main(arguments(world, clip, *change)) == 2
    assert part in capsys.readouterr().err
    assert not (world / "raw" / "label_scores.parquet").exists()


def test_numbers_as_class_keys_need_names(world, clip, capsys):
    assert main(without_names(arguments(world, clip))) == 2
    assert "rooms: 3 class key(s) are no names, first '1'" in capsys.readouterr().err


@pytest.mark.parametrize("prompt", ["a photo", "a {} {}", "a {name}", "{} {"])
def test_prompts_have_one_place_for_the_name(prompt):
    with pytest.raises(SystemExit):
        module.parse_arguments(["m", "--tower", "t", "--weights", "w", "--prompt", prompt])
