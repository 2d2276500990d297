"""Parity passes for the model that was exported and fails for its near relatives."""

from dataclasses import replace

import pytest
import torch

from export.parity import check_parity
from export.sample_images import sample_images
from export.torchscript import export_submission


@pytest.fixture(scope="module")
def images():
    return sample_images(seed=3, sizes_px=((64, 48), (33, 127), (160, 120), (32, 32), (20, 15)))


def test_the_exported_file_agrees(exported, tiny_embedder, tiny_spec, images):
    parity = check_parity(exported, tiny_embedder, tiny_spec, images)
    assert parity.check.ok and parity.check.name == "parity"
    assert len(parity.cosines) == 5 and min(parity.cosines) > 0.99999
    numbers = parity.to_dict()
    assert numbers["cosine_min"] <= numbers["cosine_mean"] <= 1.0001 and numbers["n_images"] == 5
    assert parity.mean_cosine_between_images < 1.0


def test_wrong_statistics_fail(exported, tiny_embedder, tiny_spec, images):
    other = replace(tiny_spec, mean=(0.48, 0.46, 0.41))
    parity = check_parity(exported, tiny_embedder, other, images)
    assert parity.check.ok is False and min(parity.cosines) < 0.9999
    assert "required 0.9999" in parity.check.detail


def test_another_resize_rule_fails(exported, tiny_embedder, tiny_spec, images):
    assert (
        check_parity(exported, tiny_embedder, replace(tiny_spec, resize="shortest_crop"), images[:2]).check.ok is False
    )


def test_shortest_crop_agrees_with_itself(tmp_path, tiny_embedder, tiny_spec, images):
    spec = replace(tiny_spec, resize="shortest_crop")
    export_submission(tiny_embedder, spec, tmp_path / "saved_model.pt")
    assert check_parity(tmp_path / "saved_model.pt", tiny_embedder, spec, images).check.ok


def test_another_width_fails_with_both_shapes(exported, make_embedder, tiny_spec, images):
    parity = check_parity(exported, make_embedder(out_dim=32), tiny_spec, images[:1])
    assert parity.check.ok is False and "got shape (1, 64), expected (1, 32)" in parity.check.detail


def test_nan_is_not_agreement(tmp_path, make_embedder, tiny_spec, images):
    embedder = make_embedder()
    embedder.head[1].bias.data[0] = float("nan")
    export_submission(embedder, tiny_spec, tmp_path / "saved_model.pt")
    assert check_parity(tmp_path / "saved_model.pt", embedder, tiny_spec, images[:1]).check.ok is False


def test_what_cannot_be_compared_is_refused(exported, make_embedder, tiny_spec, images):
    with pytest.raises(ValueError, match="0 images"):
        check_parity(exported, make_embedder(), tiny_spec, [])
    with pytest.raises(ValueError, match="training is True"):
        check_parity(exported, make_embedder().train(), tiny_spec, images)


def test_image_sizes_agree_through_the_file(tmp_path, make_embedder, tiny_spec, images):
    embedder = make_embedder("bn_linear", image_sizes=True)
    export_submission(embedder, tiny_spec, tmp_path / "saved_model.pt")
    assert check_parity(tmp_path / "saved_model.pt", embedder, tiny_spec, images).check.ok
    embedder.image_sizes = False  # a model that takes the sizes for something else does not agree
    embedder.head_input = lambda features, sizes_px: torch.cat([features, torch.zeros(len(features), 3)], dim=1)
    assert check_parity(tmp_path / "saved_model.pt", embedder, tiny_spec, images).check.ok is False
