"""The file gets its name only when every check passed."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from data_prep.errors import ConfigError, ContractError
from data_prep.files import sha256_of_file
from export import gate
from export.budget import Budget
from export.gate import budget_check, export_checked
from export.parity import check_parity
from train.data.preprocessing import View
from train.model.image_model import ImageModel


@pytest.fixture(autouse=True)
def _small_images(monkeypatch):
    # Small stand-ins for the real-size images: the checks themselves are the real ones.
    small = gate.sample_images(seed=1, sizes_px=((64, 48), (20, 50)))
    monkeypatch.setattr(gate, "sample_images", lambda: small)


@pytest.fixture
def checkpoint(make_embedder, tiny_spec):
    return SimpleNamespace(model=ImageModel([make_embedder()], [tiny_spec]).eval(), sha256="c0ffee")


def test_writes_the_model_and_its_report(checkpoint, tmp_path):
    report = export_checked(checkpoint, tmp_path / "saved_model.pt")
    on_disk = json.loads((tmp_path / "export.json").read_text())
    assert on_disk == report
    assert report["model_sha256"] == sha256_of_file(tmp_path / "saved_model.pt")
    assert report["checkpoint_sha256"] == "c0ffee" and report["archive_version"] == 4
    verdicts = {check["name"]: check["verdict"] for check in report["checks"]}
    assert verdicts["parity"] == verdicts["budget"] == verdicts["odd sizes"] == "passed"
    assert verdicts["host runtime"] == "not run"
    assert report["parity"]["cosine_min"] > 0.9999 and report["budget"]["verdict"] == "fits"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export.json", "saved_model.pt"]


def test_a_failed_check_leaves_nothing_and_is_named(checkpoint, tmp_path):
    for name in ("saved_model.pt", "export.json"):
        (tmp_path / name).write_text("of an earlier checkpoint")
    checkpoint.model.embedders[0].head[1].bias.data[3] = float("nan")
    with pytest.raises(
        ContractError, match=r"was not written: \d of 14 checks failed: .*odd sizes: .*gives no embedding.*parity"
    ):
        export_checked(checkpoint, tmp_path / "saved_model.pt")
    assert not list(tmp_path.iterdir())


def test_another_width_needs_saying_so(make_embedder, tiny_spec, tmp_path):
    wide = SimpleNamespace(model=ImageModel([make_embedder("identity", 16)], [tiny_spec]).eval(), sha256="")
    with pytest.raises(ContractError, match=r"odd sizes: .*got shape \(1, 16\), expected \(1, 64\)"):
        export_checked(wide, tmp_path / "saved_model.pt")
    assert export_checked(wide, tmp_path / "saved_model.pt", out_dim=16)["out_dim"] == 16


def make_budget(verdict):
    return Budget(verdict, "12 h", "modelled", "", 200.0, 12.0, 14.0, 3.0, 1, 1, 1.0, 1.0, 0.1, 1, ())


def test_budget_verdicts_as_checks(checkpoint, tmp_path, monkeypatch):
    passed = {verdict: budget_check(make_budget(verdict), False).ok for verdict in ("fits", "tight", "over", "unknown")}
    assert passed == {"fits": True, "tight": True, "over": False, "unknown": None}
    monkeypatch.setattr(gate, "estimate_budget", lambda path: make_budget("over"))
    with pytest.raises(ContractError, match="1 of 14 checks failed: budget: over: 12 h"):
        export_checked(checkpoint, tmp_path / "saved_model.pt")
    report = export_checked(checkpoint, tmp_path / "saved_model.pt", allow_over_budget=True)
    assert report["checks"][-1]["verdict"] == "not run" and "--allow-over-budget" in report["checks"][-1]["detail"]


def test_a_model_that_does_not_compile_leaves_nothing(checkpoint, tmp_path):
    class Pair(torch.nn.Module):
        def forward(self, x):
            return x, x

    checkpoint.model.embedders[0].head = Pair()
    with pytest.raises(ContractError, match="does not compile"):
        export_checked(checkpoint, tmp_path / "saved_model.pt")
    assert not list(tmp_path.iterdir())


def test_a_wrong_setting_of_the_user_leaves_an_earlier_export_alone(checkpoint, tmp_path, monkeypatch):
    export_checked(checkpoint, tmp_path / "saved_model.pt")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setenv("GUIE_HOST_PYTHON", "/no/such/python")
    with pytest.raises(ConfigError, match="GUIE_HOST_PYTHON=/no/such/python"):
        export_checked(checkpoint, tmp_path / "saved_model.pt")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_two_towers_and_their_projection_are_one_file(make_embedder, tiny_spec, tmp_path):
    other_spec = replace(tiny_spec, image_px=48, mean=(0.4,) * 3, views=(View(), View(flip=True)))
    torch.manual_seed(3)
    model = ImageModel(
        [make_embedder(out_dim=40), make_embedder("mlp", 48, arch="conv32")], [tiny_spec, other_spec],
        weights=[0.6, 0.8], projection=torch.nn.Linear(88, 64),
    )
    report = export_checked(SimpleNamespace(model=model, sha256=""), tmp_path / "saved_model.pt")
    assert report["parity"]["cosine_min"] > 0.9999
    assert report["budget"]["n_parameters"] == sum(parameter.numel() for parameter in model.parameters())
    one = SimpleNamespace(model=ImageModel([make_embedder()], [tiny_spec]), sha256="")
    single = export_checked(one, tmp_path / "one" / "saved_model.pt")
    assert report["budget"]["n_kernels"] > 2 * single["budget"]["n_kernels"]
    other = ImageModel(model.embedders, model.specs, [0.8, 0.6], model.projection)
    assert check_parity(tmp_path / "saved_model.pt", other, gate.sample_images()).check.ok is False


def test_without_a_projection_two_towers_are_too_wide(make_embedder, tiny_spec, tmp_path):
    model = ImageModel([make_embedder(), make_embedder(arch="conv32")], [tiny_spec, tiny_spec])
    with pytest.raises(ContractError, match=r"got shape \(1, 128\), expected \(1, 64\)"):
        export_checked(SimpleNamespace(model=model, sha256=""), tmp_path / "saved_model.pt")
