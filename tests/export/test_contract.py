"""Each check passes on an exported file and fails on a file broken in its way."""

import math
import shutil
import sys
import zipfile

import pytest
import torch
from torch import nn

from data_prep.errors import ConfigError
from export.archive import rewrite_for_host
from export.contract import ODD_SIZES_PX, check_contract, check_embeddings, check_operators, probe_images

NAMES = [
    "archive version",
    "device tag",
    "no fixed device",
    "file size",
    "loads",
    "operators",
    "no gradients",
    "odd sizes",
    "tells images apart",
    "determinism",
    "fresh load",
    "host runtime",
]


def failed(path, out_dim=64):
    results = check_contract(path, out_dim)
    assert [result.name for result in results] == NAMES
    return {result.name: result.detail for result in results if result.ok is False}


def test_an_exported_file_passes_and_the_missing_host_is_said(exported):
    results = check_contract(exported)
    assert [result.name for result in results] == NAMES
    assert {result.name: result.verdict for result in results} == {
        name: "passed" for name in NAMES if name != "host runtime"
    } | {"host runtime": "not run"}
    assert "make host-runtime" in results[-1].detail


def test_a_host_that_gives_other_numbers_fails(exported, monkeypatch, tmp_path):
    wrong = tmp_path / "python"
    code = (
        "import torch, sys; images = torch.load(sys.argv[2]); "
        "torch.save({'torch': '1.11.0', 'embeddings': [torch.ones(64) / 8 for _ in images]}, sys.argv[3])"
    )
    wrong.write_text(
        '#!/bin/sh\nfor word in "$@"; do [ "$word" = print_version ] && echo 1.11.0 && exit 0; done\n'
        f'shift 5\nexec {sys.executable} -c "{code}" "$@"\n'
    )
    wrong.chmod(0o755)
    monkeypatch.setenv("GUIE_HOST_PYTHON", str(wrong))
    assert set(failed(exported)) == {"host runtime"}


class Wrong(nn.Module):
    """Breaks the contract in the way named by `fault`."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.weight = nn.Parameter(torch.randn(3, 64), requires_grad=fault == "gradients")

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.matmul(image.to(torch.float32).mean(dim=[2, 3]) / 255.0, self.weight)
        if self.fault == "constant":
            x = x * 0.0 + 1.0
        if self.fault == "dropout":
            x = torch.dropout(x, 0.5, True)
        if self.fault == "small images" and image.shape[2] < 2:
            raise RuntimeError("image is too small")
        x = x / torch.sqrt(torch.sum(x * x, dim=1, keepdim=True))
        if self.fault == "long":
            x = x * 1.01
        if self.fault == "nan" and image.shape[3] == 1:
            x = x * float("nan")
        if self.fault == "double":
            x = x.to(torch.float64)
        if self.fault == "no batch axis":
            x = x[0]
        return x


def save_wrong(folder, module, tagged=True):
    path, raw = folder / "saved_model.pt", folder / "raw.pt"
    torch.jit.save(torch.jit.script(module.eval()), str(raw))
    if tagged:
        rewrite_for_host(raw, path)
    else:
        shutil.copy(raw, path)
    return path


@pytest.mark.parametrize(
    ("fault", "names", "words"),
    [
        ("gradients", {"no gradients"}, "1 parameters ask"),
        ("constant", {"tells images apart"}, "a constant"),
        ("dropout", {"determinism", "fresh load"}, "differs by"),
        ("small images", {"odd sizes"}, "image is too small"),
        ("long", {"odd sizes"}, "got length 1.01"),
        ("nan", {"odd sizes"}, "not finite"),
        ("double", {"odd sizes"}, "got torch.float64"),
        ("no batch axis", {"odd sizes"}, r"got shape (64,), expected (1, 64)"),
    ],
)
def test_each_fault_fails_its_check(tmp_path, fault, names, words):
    found = failed(save_wrong(tmp_path, Wrong(fault)))
    assert names <= set(found)
    assert words in found[sorted(names)[0]]


def test_the_module_without_a_fault_passes(tmp_path):
    assert failed(save_wrong(tmp_path, Wrong(""))) == {}


def test_wrong_width(exported):
    assert "got shape (1, 64), expected (1, 128)" in failed(exported, out_dim=128)["odd sizes"]


def test_cpu_tag(tmp_path):
    assert "got cpu, expected cuda:0" in failed(save_wrong(tmp_path, Wrong(""), tagged=False))["device tag"]


def test_operator_unknown_to_the_host(tmp_path):
    class Fused(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            x = image.to(torch.float32).mean(dim=[2, 3]).unsqueeze(1).expand(1, 4, 3).reshape(1, 1, 4, 3)
            x = nn.functional.scaled_dot_product_attention(x, x, x).flatten(1)[:, :3]
            return x / torch.sqrt(torch.sum(x * x, dim=1, keepdim=True))

    found = failed(save_wrong(tmp_path, Fused()), out_dim=3)
    assert "does not know aten::scaled_dot_product_attention" in found["operators"]
    assert check_operators(["aten::add.Tensor", "aten::relu"])[0]
    assert not check_operators(["aten::add.Tensor", "aten::made_up"])[0]


def test_version_of_a_newer_operator(tmp_path):
    class Newer(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            x = nn.functional.gelu(image.to(torch.float32).mean(dim=[2, 3]) + 1.0)
            return x / torch.sqrt(torch.sum(x * x, dim=1, keepdim=True))

    found = failed(save_wrong(tmp_path, Newer()), out_dim=3)
    assert "10; torch 1.11 reads up to 9" in found["archive version"]


def test_device_written_by_a_trace(tmp_path):
    class Positions(nn.Module):
        def forward(self, image):
            return image.float().mean(dim=(2, 3)) + torch.arange(3, device=image.device)

    raw, path = tmp_path / "raw.pt", tmp_path / "saved_model.pt"
    torch.jit.save(torch.jit.trace(Positions(), torch.zeros(1, 3, 4, 4)), str(raw))
    rewrite_for_host(raw, path)
    assert "a device is written into" in failed(path, out_dim=3)["no fixed device"]


def test_damaged_files_fail_and_a_missing_one_is_an_error(exported, tmp_path):
    cut = tmp_path / "cut.pt"
    cut.write_bytes(exported.read_bytes()[:2000])
    found = {result.name: result.verdict for result in check_contract(cut)}
    assert found["archive version"] == found["loads"] == "failed" and found["odd sizes"] == "not run"
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("saved_model/version", "4")
    assert "loads" in {result.name for result in check_contract(tmp_path / "other.zip") if result.ok is False}
    with pytest.raises(ConfigError, match="no such file; make export"):
        check_contract(tmp_path / "missing.pt")


def test_embeddings_checked_one_by_one():
    good = [torch.tensor([[0.5, -0.5, 0.5, 0.5]]) for _ in ODD_SIZES_PX]
    assert check_embeddings(good, 4)[0]
    ok, detail = check_embeddings([*good[:-1], 1.02 * good[0]], 4)
    assert not ok and "1200 x 1600" in detail and f"{math.sqrt(4 * 0.51**2):.6f}" in detail
    ok, detail = check_embeddings([*good[:-1], torch.full((1, 4), 0.5)], 4)  # the stand-in, see submission_model
    assert not ok and "1200 x 1600 pixels: the model gives no embedding that is finite and not zero" in detail


def test_probe_images_are_as_pil_gives_them():
    images = probe_images()
    assert [tuple(image.shape[1:]) for image in images] == list(ODD_SIZES_PX)
    assert all(image.dtype == torch.uint8 for image in images)
    assert images[-1].stride() == (1, 3 * 1600, 3)
    assert all(torch.equal(a, b) for a, b in zip(images, probe_images()))
