"""The count of an actual file, the reference table (export experiments, section 3.4) and the verdicts."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from data_prep.errors import ConfigError, ContractError
from export import budget as budget_module
from export import gpu_timing
from export.budget import _verdict, count_file, count_model, estimate_budget, judge, main
from export.gpu_timing import Timing
from export.portable_vit import PortableViT, ViTShape
from export.submission_model import FrameViews, MemberModel, SizeModel, SubmissionModel
from export.torchscript import export_submission
from train.data.preprocessing import PreprocessSpec, View
from train.model.image_model import ImageModel

H14 = (1280, 32, 16, 5120, 14)


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch):
    """Whether this machine has a GPU must not change what the tests see."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def vit(width, n_layers, n_heads, mlp_width, patch_px, image_px, out_dim):
    """The exported model of a real-size tower with a 64-D head, on the meta device: real shapes, no memory."""
    n_tokens = (image_px // patch_px) ** 2 + 1
    spec = PreprocessSpec(image_px, (0.5,) * 3, (0.5,) * 3)
    with torch.device("meta"):
        tower = PortableViT(ViTShape(patch_px, patch_px, n_tokens, width, n_layers, n_heads, mlp_width, out_dim, "gelu",
                                     False, True, "tok", False, 1e-5))  # fmt: skip
        head = nn.Linear(out_dim, 64)
    (frame,) = spec.frames()
    whole = SubmissionModel([MemberModel([SizeModel(tower, head, [FrameViews(spec, frame, tall_first=True)])])])
    return whole.to("meta").eval()


@pytest.mark.parametrize(
    ("shape", "n_millions", "gflop", "ms", "low_hours", "high_hours", "gib", "verdict"),
    [
        ((768, 12, 12, 3072, 32, 224, 512), 87.8, 8.8, 3.4, 1.0, 1.9, 1.1, "fits"),
        ((*H14, 224, 1024), 632.1, 334.6, 68.3, 4.7, 6.2, 3.2, "fits"),
        ((*H14, 280, 1024), 632.3, 531.5, 91.8, 6.1, 7.7, 3.2, "fits"),
        ((*H14, 336, 1024), 632.5, 781.5, 133.8, 8.5, 10.5, 3.2, "tight"),
        ((*H14, 378, 1024), 632.7, 1007.0, 171.5, 10.6, 12.9, 3.2, "over"),
    ],
    ids=lambda value: "",
)
def test_reference_table(shape, n_millions, gflop, ms, low_hours, high_hours, gib, verdict):
    count = count_model(lambda: vit(*shape))
    budget = judge(count, 1)
    assert budget.n_parameters / 1e6 == pytest.approx(n_millions, abs=0.1)
    assert budget.gflop == pytest.approx(gflop, abs=0.1)
    # The resize and the guards against numbers that are not finite, which the reference leaves out, are 0.4 ms.
    assert budget.model_ms == pytest.approx(ms + 0.4, rel=0.08)
    assert budget.low_hours == pytest.approx(low_hours, rel=0.08)
    assert budget.high_hours == pytest.approx(high_hours, rel=0.08)
    # The reference counts an image of the model's own size; here it is one of 48 megapixels.
    assert gib <= budget.memory_gib <= gib + 0.6
    assert (budget.verdict, budget.unknown_operators) == (verdict, ())


def test_verdicts():
    assert _verdict(4.0, 8.9, 3.0, set())[0] == "fits"
    assert _verdict(4.0, 9.1, 3.0, set())[0] == "tight"
    assert _verdict(9.1, 11.0, 3.0, set())[0] == "over"
    assert _verdict(1.0, 2.0, 16.5, set())[0] == "over"
    verdict, reason = _verdict(1.0, 2.0, 3.0, {"aten.mystery.default"})
    assert verdict == "unknown" and "aten.mystery.default" in reason
    assert _verdict(9.1, 11.0, 3.0, {"aten.mystery.default"})[0] == "over"  # the rest alone takes too long


def file_of(embedder, folder, **views):
    path = folder / "saved_model.pt"
    export_submission(ImageModel([embedder], [PreprocessSpec(32, (0.5,) * 3, (0.5,) * 3, **views)]), path)
    return path


def test_a_file_is_counted_as_it_lies_there(exported, tiny_embedder):
    budget = estimate_budget(exported)
    assert (budget.verdict, budget.basis, budget.device) == ("fits", "modelled", "")
    assert budget.n_parameters == sum(parameter.numel() for parameter in tiny_embedder.parameters())
    assert budget.file_bytes == exported.stat().st_size and budget.to_dict()["limit_hours"] == 9.0
    # 48 million pixels of three bytes, and bands of the resize as floats: not the 0.54 GiB of the whole as floats.
    assert 0.134 < budget.activations_gib < 0.45
    assert budget.reason.endswith("(modelled, never run on a P100)")


def test_parallel_layers_cost_as_much_as_the_one_they_become(make_embedder, tmp_path):
    embedders = [make_embedder("linear"), make_embedder("parallel", options={"dropouts": [0.1] * 20})]
    single, many = (estimate_budget(file_of(embedder, tmp_path)) for embedder in embedders)
    assert (many.verdict, many.model_ms, many.n_kernels) == ("fits", single.model_ms, single.n_kernels)


def test_every_view_costs(tiny_embedder, tmp_path):
    views = ((View(),), (View(), View(flip=True)), (View(), View(image_px=48)))
    plain, flipped, two_sizes = (count_file(file_of(tiny_embedder, tmp_path, views=looks)) for looks in views)
    flop = [sum(gemm.flops for gemm in count.kernels.gemms) for count in (plain, flipped, two_sizes)]
    assert len(flipped.kernels.gemms) == len(plain.kernels.gemms)  # one batch of two
    # A convolution's work grows with the area: 1 + (48 / 32)^2 = 3.25 times.
    assert flop[1] == 2 * flop[0] and flop[2] == pytest.approx(3.25 * flop[0], rel=0.01)
    assert two_sizes.n_parameters == plain.n_parameters  # the traces share their weights


class Peeks(nn.Module):
    """Needs the values; `torch.fft` has no known cost."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = image.to(torch.float32)
        if float(x.sum()) >= 0.0:
            x = torch.abs(torch.fft.rfft(x))
        return x.mean(dim=[2, 3])


def test_what_cannot_go_without_values_runs_and_names_what_it_costs_not(tmp_path, monkeypatch):
    monkeypatch.setattr(budget_module, "LARGEST_PX", (90, 120))
    torch.jit.save(torch.jit.script(Peeks()), str(tmp_path / "peeks.pt"))
    budget = estimate_budget(tmp_path / "peeks.pt")
    assert budget.verdict == "unknown" and any("fft" in name for name in budget.unknown_operators)
    assert "no cost known for aten._fft" in budget.reason


def test_what_does_not_run_is_unknown_not_a_crash(tmp_path):
    class Needs64(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image.to(torch.float32).view(1, 64)

    torch.jit.save(torch.jit.script(Needs64()), str(tmp_path / "fails.pt"))
    assert estimate_budget(tmp_path / "fails.pt").unknown_operators[0].startswith("it does not run: ")


@pytest.mark.parametrize(("basis", "low_ms", "high_ms", "verdict"), [
    ("measured", 100.0, 110.0, "fits"), ("measured", 130.0, 140.0, "tight"), ("scaled", 20.0, 300.0, "tight"),
    ("scaled", 200.0, 900.0, "over"),
])  # fmt: skip
def test_a_timing_decides_and_is_named(exported, basis, low_ms, high_ms, verdict):
    budget = judge(count_file(exported), 1, Timing(basis, "Some GPU", 10.0, low_ms, high_ms, 5.0))
    # 205,000 images in hours: (100 + 15) ms * 205,000 / 3.6e6 = 6.55 h
    assert budget.low_hours == pytest.approx((low_ms + 15) * 205_000 / 3.6e6, abs=0.01)
    assert (budget.verdict, budget.basis, budget.memory_gib) == (verdict, basis, 5.8)
    words = "measured on Some GPU" if basis == "measured" else "scaled from Some GPU, never run on a P100"
    assert words in budget.reason


def test_a_timed_file_is_not_unknown(exported):
    count = count_file(exported)
    strange = replace(count, kernels=replace(count.kernels, unknown={"aten.mystery.default"}))
    assert judge(strange, 1).verdict == "unknown"
    timed = judge(strange, 1, Timing("measured", "Tesla P100", 10.0, 9.0, 11.0, 1.0))
    assert timed.verdict == "fits" and timed.unknown_operators == ("aten.mystery.default",)


def test_the_gpu_is_used_unless_told_not_to(exported, monkeypatch):
    timing = Timing("scaled", "Some GPU", 10.0, 20.0, 30.0, 1.0)
    monkeypatch.setattr(gpu_timing, "time_on_gpu", lambda path, kernels: timing)
    assert estimate_budget(exported).basis == "scaled" and estimate_budget(exported, use_gpu=False).basis == "modelled"


def test_command(exported, tmp_path, capsys, monkeypatch):
    assert main([str(exported)]) == 0
    printed = capsys.readouterr().out
    for words in ("million parameters", "GFLOP", "fits: 205,000 images: ", " h of 9 h", "GiB of 16 GiB", "modelled"):
        assert words in printed
    assert main([str(exported), "--json", "--no-gpu"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "fits"
    monkeypatch.setattr(budget_module, "N_IMAGES", 10_000_000)
    assert main([str(exported)]) == 1 and "over: " in capsys.readouterr().out
    assert main([str(tmp_path / "missing.pt")]) == 2 and "no such file; make export" in capsys.readouterr().err
    (tmp_path / "text.pt").write_text("no model")
    assert main([str(tmp_path / "text.pt")]) == 1 and "torch.jit.load does not read it" in capsys.readouterr().err
    with pytest.raises(ContractError):
        count_file(tmp_path / "text.pt")
    with pytest.raises(ConfigError):
        count_file(tmp_path / "missing.pt")
