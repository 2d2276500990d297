"""The benchmark's parts: sizes that never repeat, both sides on each of them, a file in a process of its own."""

import sys

import torch

from benchmarks.export import N_FIRST, FreshProcess, in_turns, sizes_px, summarise
from export.torchscript import export_submission
from train.data.preprocessing import PreprocessSpec
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.image_model import ImageModel


def test_no_size_comes_twice():
    sizes = sizes_px(60)
    assert len(set(sizes)) == 60 and all(0.3e6 < height * width < 0.7e6 for height, width in sizes)


def test_both_sides_get_every_size_and_take_turns_in_going_first():
    calls = []
    in_turns(lambda *size: calls.append(("file", size)) or 1.0, lambda *size: calls.append(("peer", size)) or 2.0, 4)
    assert [who for who, _ in calls] == ["peer", "file", "file", "peer"] * 2
    assert [size for who, size in calls if who == "file"] == [size for who, size in calls if who == "peer"]


def test_the_figures_by_hand():
    # The machine is half as fast for the last ten: the ratio of the pairs does not see it.
    peers = [2.0] * (N_FIRST + 10) + [4.0] * 10
    ours = [3.0, 2.0] + [1.0] * (N_FIRST + 8) + [2.0] * 10
    figures = summarise(ours, peers)
    assert figures["ratio"] == 2.0
    assert figures["first"] == [3.0, 2.0, 1.0] and figures["extra"] == 3.0 and figures["new_sizes"] == 1.0


def test_a_file_runs_in_a_process_of_its_own(tmp_path):
    torch.manual_seed(0)
    backbone = build_backbone(BackboneSpec("tiny", "conv16", None, 32))
    embedder = Embedder(backbone, torch.nn.Linear(backbone.width, 64)).eval()
    export_submission(ImageModel([embedder], [PreprocessSpec(32, (0.5,) * 3, (0.5,) * 3)]), tmp_path / "model.pt")
    worker = FreshProcess(sys.executable, str(tmp_path / "model.pt"), n_threads=1)
    try:
        assert worker.torch_version == torch.__version__ and worker.seconds(20, 30) > 0
    finally:
        worker.close()
    assert worker.process.returncode == 0
    peer = FreshProcess(sys.executable, "32,2,4,64,8,16", n_threads=1)
    try:
        assert peer.seconds(20, 30) > 0
    finally:
        peer.close()
    assert peer.process.returncode == 0
