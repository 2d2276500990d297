"""Every tower of the table runs on the host, or is refused with the operator that stands in the way."""

from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from data_prep.errors import ContractError
from export.archive import archive_version
from export.contract import _check_fixed_device
from export.host_proof import prove_on_host, written_samples
from export.parity import check_parity
from export.sample_images import sample_images
from export.torchscript import export_submission, script_submission
from export.unknown_operators import operators_of_model, unknown_operators
from tests.export.tower_table import TOWERS, golden_operators, shallow_model, tiny_model
from train.data.preprocessing import PreprocessSpec
from train.model.embedder import Embedder
from train.model.image_model import ImageModel

CONFIGS = Path(__file__).parents[2] / "train" / "configs"
QUICK = [name for name, tower in TOWERS.items() if tower.is_quick]


@pytest.mark.parametrize("name", QUICK)
def test_a_tower_has_the_listed_operators_and_all_are_known(name, tmp_path):
    model = tiny_model(TOWERS[name])
    path = tmp_path / "saved_model.pt"
    export_submission(model, path)
    scripted = torch.jit.load(path, map_location="cpu")
    assert unknown_operators(scripted) == {}
    assert operators_of_model(scripted) == golden_operators()[name]
    assert archive_version(path) <= 9 and _check_fixed_device(path)[0]
    parity = check_parity(path, model, sample_images(sizes_px=((40, 60), (90, 30))))
    assert parity.check.ok, parity.check.detail
    # The tower tells images apart by far more than the two ways of running it differ.
    assert 1 - parity.mean_cosine_between_images > 100 * max(1e-7, 1 - min(parity.cosines))


@pytest.mark.slow
@pytest.mark.parametrize("name", TOWERS)
def test_a_tower_of_real_width_does_the_same_in_torch_1_11(name, tmp_path, real_host):
    model = shallow_model(TOWERS[name])
    path = tmp_path / "saved_model.pt"
    export_submission(model, path)
    with written_samples(((640, 480), (127, 333))) as pictures:
        proof = prove_on_host(real_host, path, model, pictures)
    assert proof.ok, proof.describe()
    assert operators_of_model(torch.jit.load(path, map_location="cpu")) == golden_operators()[name]


def test_every_recipe_has_its_tower_in_the_table():
    known = {(tower.kind, tower.arch) for tower in TOWERS.values()}
    recipes = [yaml.safe_load(path.read_text()) for path in sorted(CONFIGS.glob("*.yaml"))]
    named = {(recipe["backbone"]["kind"], recipe["backbone"]["arch"]) for recipe in recipes}
    assert len(recipes) > 20 and named <= known


class Airy(nn.Module):
    """An operator of torch 1.13."""

    width = 64

    def forward(self, images):
        return torch.special.airy_ai(images.mean(dim=(2, 3))).repeat(1, 22)[:, :64]


def test_a_tower_that_1_11_lacks_an_operator_of_is_refused_with_its_name_and_place(tmp_path):
    model = ImageModel([Embedder(Airy(), nn.Identity()).eval()], [PreprocessSpec(32, (0.5,) * 3, (0.5,) * 3)])
    with pytest.raises(ContractError, match=r"does not know aten::special_airy_ai, called in .*test_towers\.py"):
        export_submission(model, tmp_path / "saved_model.pt")
    assert not list(tmp_path.iterdir())
    assert list(unknown_operators(script_submission(model))) == ["aten::special_airy_ai"]
