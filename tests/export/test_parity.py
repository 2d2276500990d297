"""Parity passes for the model that was exported and fails for its near relatives."""

import zipfile
from dataclasses import replace

import pytest
import torch

from export.parity import check_parity
from export.sample_images import sample_images
from export.torchscript import export_submission
from train.data.preprocessing import View, preprocess
from train.model.image_model import ImageModel


@pytest.fixture(scope="module")
def images():
    return sample_images(seed=3, sizes_px=((64, 48), (33, 127), (160, 120), (32, 32), (20, 15)))


def test_the_exported_file_agrees(exported, tiny_embedder, tiny_spec, images):
    parity = check_parity(exported, ImageModel([tiny_embedder], [tiny_spec]), images)
    assert parity.check.ok and parity.check.name == "parity"
    assert len(parity.cosines) == 5 and min(parity.cosines) > 0.99999
    numbers = parity.to_dict()
    assert numbers["cosine_min"] <= numbers["cosine_mean"] <= 1.0001 and numbers["n_images"] == 5
    assert parity.mean_cosine_between_images < 1.0


def test_wrong_statistics_fail(exported, tiny_embedder, tiny_spec, images):
    other = replace(tiny_spec, mean=(0.48, 0.46, 0.41))
    parity = check_parity(exported, ImageModel([tiny_embedder], [other]), images)
    assert parity.check.ok is False and min(parity.cosines) < 0.9999
    assert "required 0.9999" in parity.check.detail


def test_another_resize_rule_fails(exported, tiny_embedder, tiny_spec, images):
    cropping = ImageModel([tiny_embedder], [replace(tiny_spec, resize="shortest_crop")])
    assert check_parity(exported, cropping, images[:2]).check.ok is False


def test_shortest_crop_agrees_with_itself(tmp_path, tiny_embedder, tiny_spec, images):
    spec = replace(tiny_spec, resize="shortest_crop")
    export_submission(ImageModel([tiny_embedder], [spec]), tmp_path / "saved_model.pt")
    assert check_parity(tmp_path / "saved_model.pt", ImageModel([tiny_embedder], [spec]), images).check.ok


def test_another_width_fails_with_both_shapes(exported, make_embedder, tiny_spec, images):
    parity = check_parity(exported, ImageModel([make_embedder(out_dim=32)], [tiny_spec]), images[:1])
    assert parity.check.ok is False and "got shape (1, 64), expected (1, 32)" in parity.check.detail


def test_nan_is_not_agreement(tmp_path, make_embedder, tiny_spec, images):
    embedder = make_embedder()
    embedder.head[1].bias.data[0] = float("nan")
    export_submission(ImageModel([embedder], [tiny_spec]), tmp_path / "saved_model.pt")
    assert check_parity(tmp_path / "saved_model.pt", ImageModel([embedder], [tiny_spec]), images[:1]).check.ok is False


def test_what_cannot_be_compared_is_refused(exported, make_embedder, tiny_spec, images):
    with pytest.raises(ValueError, match="0 images"):
        check_parity(exported, ImageModel([make_embedder()], [tiny_spec]).eval(), [])
    with pytest.raises(ValueError, match="training is True"):
        check_parity(exported, ImageModel([make_embedder()], [tiny_spec]).train(), images)


def test_image_sizes_agree_through_the_file(tmp_path, make_embedder, tiny_spec, images):
    embedder = make_embedder("bn_linear", image_sizes=True)
    export_submission(ImageModel([embedder], [tiny_spec]), tmp_path / "saved_model.pt")
    assert check_parity(tmp_path / "saved_model.pt", ImageModel([embedder], [tiny_spec]), images).check.ok
    embedder.image_sizes = False  # a model that takes the sizes for something else does not agree
    embedder.head_input = lambda features, sizes_px: torch.cat([features, torch.zeros(len(features), 3)], dim=1)
    assert check_parity(tmp_path / "saved_model.pt", ImageModel([embedder], [tiny_spec]), images).check.ok is False


VIEWS = (View(), View(flip=True), View(image_px=48), View(crop=0.9), View(resize="pad"),
         View(image_px=40, resize="shortest_crop", crop=0.8, flip=True))


@pytest.fixture
def centred(make_embedder, tiny_spec, images):
    """An embedder whose embeddings of the images point everywhere, so that small changes show."""
    embedder = make_embedder()
    with torch.no_grad():
        batch = torch.stack([preprocess(image, tiny_spec) for image in images])
        embedder.head[1].bias -= embedder.project_raw(embedder.features(batch)).mean(dim=0)
    return embedder


def test_every_kind_of_view_agrees_and_a_missing_one_does_not(tmp_path, centred, tiny_spec, images):
    model = ImageModel([centred], [replace(tiny_spec, views=VIEWS)])
    export_submission(model, tmp_path / "saved_model.pt")
    assert check_parity(tmp_path / "saved_model.pt", model, images).check.ok
    for left_out in range(len(VIEWS)):
        fewer = ImageModel([centred], [replace(tiny_spec, views=VIEWS[:left_out] + VIEWS[left_out + 1 :])])
        assert check_parity(tmp_path / "saved_model.pt", fewer, images).check.ok is False
    # Three sizes, three traces: the weights of the tower are in the file once.
    with zipfile.ZipFile(tmp_path / "saved_model.pt") as archive:
        data_bytes = sum(record.file_size for record in archive.infolist() if "/data/" in record.filename)
    assert data_bytes < 1.1 * sum(value.nbytes for value in centred.state_dict().values())
