"""What the commands say to input that is wrong: one error with its place, a status that stops make, nothing left.

Each case goes through the `main` of the command a user would run; an exception that gets out of it fails the test.
"""

import csv
import io
import os
import resource
import signal
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from data_prep.build import main as build
from data_prep.manifest import load_manifest
from data_prep.shards import iterate_shard
from export.convert import main as convert
from submission.package import main as package
from submission.validate import main as validate
from train.checkpoint import load_checkpoint, save_checkpoint
from train.data.preprocessing import PreprocessSpec
from train.fit import main as fit
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head

REPOSITORY = Path(__file__).parents[1]
RUN_FILES = ("data_prep.build", "data_prep.sample_world", "data_prep.fetch", "train.fit", "export.convert",
             "submission.validate", "submission.package", "submission.upload")
TOYS = {"source": "toys", "domain": "toys", "reader": "class_folders", "split": "by_class", "val_fraction": 0.25,
        "test_fraction": 0.25}
LISTED = {"source": "listed", "domain": "things", "reader": "table",
          "options": {"file": "list.csv", "split_column": "split", "role_column": "role"}}
STAGE = {"name": "one", "image_px": 16, "epochs": 1, "batch_size": 8, "optimizer": {"lr": 0.01},
         "lr_rules": [{"match": ".*", "scale": 1.0}], "margin": {"kind": "arcface", "margin_rad": 0.2},
         "classifier": {"scale": 16.0}, "augmentation": {"preset": "none"}}
HEAD = {"kind": "linear", "out_dim": 64}


def picture(path, seed=0, size_px=(32, 24)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size_px[1], size_px[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def draw_toys(raw_root, n_classes=8):
    for number in range(n_classes):
        for image in range(4):
            picture(raw_root / "toys" / f"toy{number}" / f"{image}.jpg", 10 * number + image)
    return raw_root


def write_yaml(path, tree):
    path.write_text(yaml.safe_dump(tree))
    return path


def mixture(tmp_path, *sources, **changes):
    tree = {"name": "small", "seed": 0, "image_px": 24, "sources": list(sources or (TOYS,))}
    return write_yaml(tmp_path / "small.yaml", tree | changes)


def training(tmp_path, **changes):
    tower = {"kind": "tiny", "arch": "conv16", "weights": None}
    tree = {"name": "test", "mixture": "small", "accelerator": "cpu", "backbone": tower, "head": HEAD}
    return write_yaml(tmp_path / "train.yaml", tree | {"stages": [STAGE]} | changes)


def listed(raw_root, *rows, header="path,class_key,split,role"):
    """The raw folder of LISTED; a picture for every row whose path does not start with `gone`."""
    lines = [header, *rows]
    for number, row in enumerate(rows):
        name = row.partition(",")[0]
        if not name.startswith("gone"):
            picture(raw_root / "listed" / name, number)
    (raw_root / "listed").mkdir(parents=True, exist_ok=True)
    (raw_root / "listed" / "list.csv").write_text("\n".join(lines) + "\n")
    return raw_root


def pack(mixture_path, raw_root, shards_root, *overrides):
    return build([str(mixture_path), "--raw-root", str(raw_root), "--shards-root", str(shards_root), "--workers", "1",
                  *overrides])


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    root = tmp_path_factory.mktemp("packed")
    draw_toys(root / "raw")
    assert pack(mixture(root), root / "raw", root / "shards") == 0
    return root / "shards" / "small"


@pytest.fixture
def refused(capsys):
    """(status, what the message must say ...) -> the one error on stderr; fails on none, on two, on a traceback."""
    def check(status, *needed):
        said = capsys.readouterr().err
        assert status in (1, 2)
        assert said.count("error:") == 1 and "Traceback" not in said
        error = said[said.index("error:"):]
        assert all(part in error for part in needed), error
        return error

    return check


def files_below(folder):
    """Everything but the build's own cache of what it has decoded."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if "build" not in path.parts)


# Configs


@pytest.mark.parametrize(("change", "needed"), [
    ({"imge_px": 3}, ["imge_px: unknown key", "image_px"]),
    ({"sources": [TOYS | {"spilt": "x"}]}, ["sources.0.spilt: unknown key", "split"]),
    ({"sources": [{"source": "product_10k"}]}, ["sources.0: source 'product_10k': no such source", "products_10k"]),
    ({"sources": [{"source": "toys"}]}, ["no such source", "data of your own needs a reader"]),
])
def test_an_unknown_key_or_source_of_a_mixture(change, needed, tmp_path, refused):
    path = mixture(tmp_path, **change)
    refused(pack(path, tmp_path, tmp_path / "shards"), str(path), *needed)
    assert not (tmp_path / "shards").exists()


@pytest.mark.parametrize(("override", "needed"), [
    ("stages.0.epohcs=1", ["stages.0.epohcs: unknown key", "epochs", "1 problem(s)"]),
    ("seeed=1", ["seeed: unknown key", "seed"]),
    ("stages.1.epochs=1", ["stages.1.epochs=1", "expected a position 0..0, got '1'"]),
    ("seed=[", ["'seed=['", "not valid YAML"]),
    ("stages.0.sources=[toy]", ["manifest.json", "no source 'toy'", "known: toys"]),
    ("backbone.arch=conv1", ["no tiny architecture 'conv1'", "known: conv16, conv32"]),
    ("stages.0.lr_rules=[{match: bakbone, scale: 1}]", ["lr_rules.0 ('bakbone')", "backbone.tower.*"]),
])
def test_an_unknown_name_in_a_recipe_does_not_block_the_run_folder(override, needed, tmp_path, packed, refused):
    arguments = [str(training(tmp_path)), "--shards", str(packed), "--run-dir", str(tmp_path / "run")]
    refused(fit([*arguments, override]), *needed)
    assert not {"final.ckpt", "metrics.jsonl"} & set(files_below(tmp_path))
    if override.startswith("stages.0.sources"):  # found late, with the folder made: the right recipe takes it over
        assert fit(arguments) == 0
        assert "sources: null" in (tmp_path / "run" / "resolved.yaml").read_text()


def test_a_recipe_without_its_shards_leaves_no_folder(tmp_path, refused):
    run_dir = tmp_path / "run"
    refused(fit([str(training(tmp_path)), "--shards", str(tmp_path / "none"), "--run-dir", str(run_dir)]),
            str(tmp_path / "none" / "manifest.json"), "not built")
    assert not run_dir.exists()


def test_a_config_that_is_no_text(tmp_path, refused):
    (tmp_path / "bad.yaml").write_bytes(b"name: \xe9\xff")
    refused(pack(tmp_path / "bad.yaml", tmp_path, tmp_path), "bad.yaml: not valid YAML")
    refused(fit([str(tmp_path / "none.yaml")]), "none.yaml: no such config file")


# Raw data


def test_all_missing_raw_folders_are_named_with_the_way_to_get_them(tmp_path, refused):
    path = mixture(tmp_path, TOYS, {"source": "met", "split": "by_class"})
    refused(pack(path, tmp_path / "raw", tmp_path / "shards"),
            f"toys: no folder {tmp_path / 'raw' / 'toys'}", f"met: no folder {tmp_path / 'raw' / 'met'}", "MET.tar.gz",
            f"data_prep.sample_world --out {tmp_path / 'raw'} --sources met renders small stand-ins")
    assert files_below(tmp_path) == ["small.yaml"]


def rejects_of(shards_dir):
    """{path: (reason, detail)} of rejects.csv."""
    with open(shards_dir / "rejects.csv", newline="", encoding="utf-8") as stream:
        return {row["path"]: (row["reason"], row["detail"]) for row in csv.DictReader(stream)}


def test_an_annotation_row_without_its_file_is_a_counted_reject(tmp_path):
    listed(tmp_path, "a.jpg,1,train,", "gone.jpg,1,train,", "q.jpg,2,test,query", "i.jpg,2,test,index")
    assert pack(mixture(tmp_path, LISTED), tmp_path, tmp_path / "shards") == 0
    manifest = load_manifest(tmp_path / "shards" / "small")
    assert manifest.rejects == {"missing file": 1}
    assert rejects_of(tmp_path / "shards" / "small")["listed/gone.jpg"][0] == "missing file"
    assert sum(entry.n_images for entry in manifest.classes) == 3


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def odd_images():
    """{file name: (content, reject reason or None, colour it must have in the shard or None)}."""
    noise = Image.fromarray(np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    jpeg = encoded(noise, "JPEG")
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    cmyk = Image.new("CMYK", (40, 40), (0, 255, 255, 0))  # no cyan, full magenta and yellow: red
    deep = Image.fromarray(np.full((40, 40), 40_000, np.uint16))  # 40,000 of 65,535: 156 of 255
    return {
        "page.jpg": (b"<!DOCTYPE html><html>404</html>", "html page", None),
        "noise.jpg": (b"\x00\x01\x02 no image", "not an image", None),
        "empty.jpg": (b"", "empty file", None),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "truncated", None),
        "cut.png": (encoded(noise, "PNG")[:500], "truncated", None),
        "header.png": (b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "damaged", None),
        "moves.gif": (encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "animated", None),
        "moves.webp": (encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]), "animated", None),
        "measured.tif": (encoded(Image.new("F", (40, 40), 0.5), "TIFF"), "unsupported pixels", None),
        "print.jpg": (encoded(cmyk, "JPEG", quality=95), None, (255, 0, 0)),
        "deep.png": (encoded(deep, "PNG"), None, (156, 156, 156)),
    }


def test_odd_images_are_converted_or_counted_rejects(tmp_path):
    draw_toys(tmp_path)
    odd = odd_images()
    for name, (content, _, _) in odd.items():
        (tmp_path / "toys" / "odd").mkdir(exist_ok=True)
        (tmp_path / "toys" / "odd" / name).write_bytes(content)
    assert pack(mixture(tmp_path), tmp_path, tmp_path / "shards") == 0
    shards_dir = tmp_path / "shards" / "small"
    rejects = rejects_of(shards_dir)
    reasons = [reason for _, reason, _ in odd.values() if reason]
    assert {path: found[0] for path, found in rejects.items()} == {
        f"toys/odd/{name}": reason for name, (_, reason, _) in odd.items() if reason
    }
    assert all(detail for _, detail in rejects.values())
    assert load_manifest(shards_dir).rejects == {reason: reasons.count(reason) for reason in reasons}
    stored = {meta["source_path"]: jpeg for tar in shards_dir.glob("*/*.tar") for _, jpeg, meta in iterate_shard(tar)}
    for name in ("print.jpg", "deep.png"):
        with Image.open(io.BytesIO(stored[f"toys/odd/{name}"])) as image:
            assert image.mode == "RGB" and image.size == (24, 24)
            np.testing.assert_allclose(np.asarray(image).mean((0, 1)), odd[name][2], atol=3)


def png_claiming(width_px, height_px):
    """A PNG of a few bytes whose header promises a large picture."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"")),
              (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def png_with_a_large_comment():
    """A good small picture; its compressed comment opens to 512 MB."""
    good = encoded(Image.new("RGB", (30, 30)), "PNG")
    packer = zlib.compressobj(9)
    text = b"".join([packer.compress(bytes(1 << 20)) for _ in range(512)]) + packer.flush()
    body = b"zTXt" + b"Comment\0\0" + text
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return good[:33] + chunk + good[33:]  # after the header chunk


def test_bombs_are_counted_rejects_and_cost_no_memory(tmp_path):
    draw_toys(tmp_path)
    bombs = {"wide.png": png_claiming(60_000, 60_000), "comment.png": png_with_a_large_comment(),
             "strip.png": encoded(Image.new("1", (65_501, 1)), "PNG")}
    (tmp_path / "toys" / "bombs").mkdir()
    for name, content in bombs.items():
        assert len(content) < 1_000_000
        (tmp_path / "toys" / "bombs" / name).write_bytes(content)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert pack(mixture(tmp_path), tmp_path, tmp_path / "shards") == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 300_000
    reasons = {Path(path).name: reason for path, (reason, _) in rejects_of(tmp_path / "shards" / "small").items()}
    assert reasons == {"wide.png": "decompression bomb", "comment.png": "damaged", "strip.png": "too long"}


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/../../../x.jpg", ".."])
def test_a_list_that_points_out_of_its_folder(path, tmp_path, refused):
    listed(tmp_path / "raw", "a.jpg,1,train,", header="path,class_key,split,role")
    with open(tmp_path / "raw" / "listed" / "list.csv", "a", encoding="utf-8") as stream:
        stream.write(f"{path},1,train,\n")
    refused(pack(mixture(tmp_path, LISTED), tmp_path / "raw", tmp_path / "shards"), f"listed/{path}",
            "expected a path relative to the raw root")
    assert not list(tmp_path.rglob("*.tar"))


def test_names_that_no_file_can_have_are_counted_rejects(tmp_path):
    gone = [f"gone{name},1,train," for name in ("x" * 300, "\0.jpg", "/etc/passwd")]
    listed(tmp_path, "a.jpg,1,train,", *gone)
    assert pack(mixture(tmp_path, LISTED), tmp_path, tmp_path / "shards") == 0
    assert load_manifest(tmp_path / "shards" / "small").rejects == {"missing file": 3}


def test_an_empty_class_folder_is_an_error_and_a_class_of_rejects_is_counted(tmp_path, refused):
    draw_toys(tmp_path)
    (tmp_path / "toys" / "hollow").mkdir()
    refused(pack(mixture(tmp_path), tmp_path, tmp_path / "shards"), str(tmp_path / "toys" / "hollow"), "empty class")
    assert not (tmp_path / "shards").exists()
    (tmp_path / "toys" / "hollow" / "0.jpg").touch()
    assert pack(mixture(tmp_path), tmp_path, tmp_path / "shards") == 0
    manifest = load_manifest(tmp_path / "shards" / "small")
    assert manifest.rejects == {"empty file": 1} and "hollow" not in {entry.class_key for entry in manifest.classes}


@pytest.mark.parametrize(("rows", "needed"), [
    (["a.jpg,1,train,", "q.jpg,1,test,query", "i.jpg,1,test,index"], ["1 class(es)", "'1' in test, train", "by_class"]),
    (["a.jpg,1,train,", "q.jpg,2,test,query", "i.jpg,3,test,index"],
     ["1 query image(s) without an index image", "'listed/q.jpg' of class '2'", "test"]),
    (["a.jpg,1,train,", "q.jpg,2,tset,query"], ["split: 1 row(s) wrong", "got 'tset'", "train, val, test"]),
    (["a.jpg,1,train,", "q.jpg,2,test,"],
     ["1 val or test rows without a role", "'listed/q.jpg'", "query, index or both"]),
])
def test_lists_that_contradict_themselves(rows, needed, tmp_path, refused):
    listed(tmp_path / "raw", *rows)
    refused(pack(mixture(tmp_path, LISTED), tmp_path / "raw", tmp_path / "shards"), "listed", *needed)
    assert not list(tmp_path.rglob("*.tar")) and not list(tmp_path.rglob("manifest.json"))


def test_a_table_of_raw_data_with_a_missing_column(tmp_path, refused):
    listed(tmp_path / "raw", "a.jpg,1,train,", header="path,sku,split,role")
    refused(pack(mixture(tmp_path, LISTED), tmp_path / "raw", tmp_path / "shards"),
            str(tmp_path / "raw" / "listed" / "list.csv"), "no column 'class_key'",
            "columns there: path, sku, split, role")
    assert not (tmp_path / "shards").exists()


def test_a_failed_build_leaves_the_finished_one_as_it_was(tmp_path, refused):
    draw_toys(tmp_path)
    assert pack(mixture(tmp_path), tmp_path, tmp_path / "shards") == 0
    before = files_below(tmp_path / "shards")
    (tmp_path / "toys" / "hollow").mkdir()
    refused(pack(mixture(tmp_path), tmp_path, tmp_path / "shards"), "hollow")
    assert files_below(tmp_path / "shards") == before and "small/manifest.json" in before


# Models


def write_checkpoint(path, out_dim=64):
    backbone = build_backbone(BackboneSpec("tiny", "conv16", None, 16))
    head_spec = HEAD | {"out_dim": out_dim}
    embedder = Embedder(backbone, build_head(width=backbone.width, **head_spec))
    save_checkpoint(path, embedder, head_spec, PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3), (None, ()), {})
    return path


@pytest.mark.parametrize(("change", "needed"), [
    (lambda c: {"state_dict": c["embedder"]}, ["not one of this project's checkpoints", "'state_dict'", "expected"]),
    (lambda c: c["embedder"], ["not one of this project's checkpoints", "backbone.tower.0.bias"]),
    (lambda c: c | {"embedder": {"visual.proj": torch.zeros(2, 2)}},
     ["weights of another model", "missing backbone.tower.0.bias", "unexpected visual.proj"]),
    (lambda c: c | {"backbone": c["backbone"] | {"arch": "conv32"}}, ["weights of another model", "(16,) for (32,)"]),
    (lambda c: c | {"backbone": {"kind": "tiny"}}, ["does not build", "'arch'"]),
    (lambda c: c | {"format": 9}, ["checkpoint format 9, this code reads 1"]),
    (lambda c: torch.nn.Linear(2, 2), ["not a checkpoint that loads as plain data"]),
])
def test_a_checkpoint_of_another_model_is_not_exported(change, needed, tmp_path, refused):
    path = write_checkpoint(tmp_path / "final.ckpt")
    torch.save(change(torch.load(path, weights_only=True)), path)
    error = refused(convert([str(path)]), str(path), *needed)
    assert "\n" not in error.strip()
    assert files_below(tmp_path) == ["final.ckpt"]


def test_a_checkpoint_of_another_width_is_not_exported(tmp_path, refused):
    refused(convert([str(write_checkpoint(tmp_path / "final.ckpt", out_dim=32))]), "64", "32", "was not written")
    assert files_below(tmp_path) == ["final.ckpt"]


def write_table(folder, rows=(), header="path,domain,class_key,role"):
    """Two classes of a query and an index image, then `rows`."""
    lines = [header]
    for name, key, role in (("a", "1", "query"), ("b", "1", "index"), ("c", "2", "both"), ("d", "2", "both")):
        picture(folder / f"{name}.jpg", ord(name))
        lines.append(f"{name}.jpg,toys,{key},{role}")
    (folder / "images.csv").write_text("\n".join([*lines, *rows]) + "\n")
    return folder / "images.csv"


@pytest.mark.parametrize(("members", "needed"), [
    ({}, ["got: nothing"]),
    ({"model/saved_model.pt": b"x", "readme.txt": b"x"}, ["got: model/saved_model.pt, readme.txt"]),
    (None, ["not a zip that can be read"]),
])
def test_a_zip_without_its_model_is_not_scored(members, needed, tmp_path, refused):
    table, path = write_table(tmp_path / "table"), tmp_path / "zipped" / "submission.zip"
    path.parent.mkdir()
    if members is None:
        path.write_bytes(b"no zip")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    refused(validate([str(path), "--table", str(table)]), str(path), *needed)
    assert files_below(path.parent) == ["submission.zip"]


@pytest.mark.parametrize(("rows", "header", "needed"), [
    ([], "path,domain,class,role", ["missing column class_key", "found path, domain, class, role", "expected path,"]),
    (["a.jpg,toys,3,query"], None, ["1 of 4 queries have no index image", "class 3"]),
    (["e.jpg,toys,1,index"], None, ["row 6", "e.jpg: no such file"]),
    (["a.jpg,toys,1,qeury"], None, ["row 6: no role 'qeury'", "known: "]),
    (["a.jpg,toys,,query"], None, ["row 6: nothing in class_key"]),
])
def test_a_table_that_cannot_be_scored(rows, header, needed, tmp_path, refused):
    table = write_table(tmp_path / "table", rows, header or "path,domain,class_key,role")
    (tmp_path / "saved_model.pt").touch()  # the table is checked first
    refused(validate([str(tmp_path / "saved_model.pt"), "--table", str(table)]), str(table), *needed)
    assert files_below(tmp_path)[0] == "saved_model.pt" and not list(tmp_path.rglob("*.json"))


def test_a_run_without_evidence_is_not_packed(tmp_path, refused):
    refused(package([str(tmp_path / "none")]), str(tmp_path / "none" / "saved_model.pt"), "make export")
    (tmp_path / "saved_model.pt").write_bytes(b"?")
    refused(package([str(tmp_path)]), "export.json: no such file", "make export")
    assert not (tmp_path / "submission.zip").exists()


# The machine


def test_a_target_that_cannot_be_written(tmp_path, packed, refused):
    """A file where a folder is needed stands for every target that refuses: this also holds for root."""
    wall = tmp_path / "wall"
    wall.touch()
    refused(pack(mixture(tmp_path), packed.parents[1] / "raw", wall), str(wall))
    refused(fit([str(training(tmp_path)), "--shards", str(packed), "--run-dir", str(wall / "run")]), str(wall))
    refused(convert([str(write_checkpoint(tmp_path / "final.ckpt")), "--out", str(wall / "saved_model.pt")]), str(wall))
    assert wall.read_bytes() == b"" and files_below(tmp_path) == ["final.ckpt", "small.yaml", "train.yaml", "wall"]


@pytest.mark.parametrize("what", ["shards", "checkpoint"])
def test_a_full_disk_is_one_error_that_names_the_file(what, tmp_path, packed, refused):
    """The limit on the size of a file stands for the end of the disk: the write that crosses it fails the same way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, before[1]))
    try:
        if what == "shards":
            status = pack(mixture(tmp_path), packed.parents[1] / "raw", tmp_path)
        else:
            status = fit([str(training(tmp_path)), "--shards", str(packed), "--run-dir", str(tmp_path / "run")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    refused(status, "File too large", ".tar" if what == "shards" else ".ckpt")
    whole = {".tar", ".ckpt", ".unfinished"} | ({".json"} if what == "shards" else set())
    assert not [name for name in files_below(tmp_path) if Path(name).suffix in whole]


LONG_STAGE = STAGE | {"epochs": None, "images": 1_536, "rounds": 16}  # a checkpoint every 12 steps


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, packed):
    """The weights of LONG_STAGE in one go."""
    root = tmp_path_factory.mktemp("uninterrupted")
    path = training(root, stages=[LONG_STAGE])
    assert fit([str(path), "--shards", str(packed), "--run-dir", str(root / "run")]) == 0
    return load_checkpoint(root / "run" / "final.ckpt").embedder.state_dict()


def _hear_ctrl_c() -> None:
    """A test run started in the background passes on that SIGINT is ignored; the child must hear it all the same."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_an_interrupted_training_leaves_whole_files_and_goes_on(number, status, tmp_path, packed, uninterrupted):
    path, run_dir = training(tmp_path, stages=[LONG_STAGE]), tmp_path / "run"
    arguments = [str(path), "--shards", str(packed), "--run-dir", str(run_dir)]
    process = subprocess.Popen([sys.executable, "-m", "train.fit", *arguments], cwd=REPOSITORY, text=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=_hear_ctrl_c)
    unfinished_path, deadline = run_dir / "stage-1-one.unfinished.ckpt", time.monotonic() + 120
    while not unfinished_path.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == status and "Traceback" not in said
    assert ("--resume" in said) == (number == signal.SIGINT)
    assert 0 < torch.load(unfinished_path, weights_only=True)["global_step"] < 192  # whole, and not at the end
    assert not (run_dir / "final.ckpt").exists() and not (run_dir / "stage-1-one.ckpt").exists()
    (run_dir / ".final.ckpt.1.unfinished").write_bytes(b"half")
    assert fit(arguments) == 2  # nothing goes on, or starts anew, by accident
    assert fit([*arguments, "--resume"]) == 0
    resumed = load_checkpoint(run_dir / "final.ckpt").embedder.state_dict()
    assert all(torch.equal(resumed[name], value) for name, value in uninterrupted.items())
    assert not list(run_dir.glob(".*")) and not unfinished_path.exists()


@pytest.mark.parametrize("module", RUN_FILES)
def test_help_loads_no_heavy_package(module):
    """Instant means: nothing of the heavy kind is imported to print a help text."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{module!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_module({module!r}, run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    heavy = {'torch', 'timm', 'open_clip', 'faiss', 'kaggle', 'matplotlib', 'albumentations', 'cv2'}\n"
        "    print('loaded:', sorted(heavy & set(sys.modules)), stop.code)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("loaded: [] 0\n") and f"python -m {module}" in shown.stdout
