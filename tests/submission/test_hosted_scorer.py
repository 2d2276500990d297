"""The host's calling sequence, and files that are not what the host expects."""

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from data_prep.errors import ConfigError, ContractError
from data_prep.files import sha256_of_file
from submission import hosted_scorer


def zip_of(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


class Recorder(nn.Module):
    """Keeps what it was called with; answers with two rows, of which the host takes the first."""

    def forward(self, image):
        self.seen = image
        self.grad_enabled = torch.is_grad_enabled()
        return torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])


def test_the_model_gets_one_raw_image_of_its_own_size_and_element_0_is_kept():
    image = Image.new("RGB", (7, 5), (250, 20, 30))
    image.putpixel((6, 4), (1, 2, 3))
    recorder = Recorder()
    embedding = hosted_scorer.embed_image(recorder, image)
    assert recorder.seen.shape == (1, 3, 5, 7) and recorder.seen.dtype == torch.uint8
    assert recorder.seen[0, :, 0, 0].tolist() == [250, 20, 30]
    assert recorder.seen[0, :, 4, 6].tolist() == [1, 2, 3]
    assert not recorder.grad_enabled
    assert embedding.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "I;16", "1"])
def test_images_of_every_mode_become_rgb(mode):
    stream = io.BytesIO()
    Image.new(mode, (4, 3)).save(stream, format="TIFF")
    image = hosted_scorer.open_image(stream.getvalue())
    assert image.mode == "RGB" and image.size == (4, 3)


def test_an_unreadable_image_says_why(jpeg):
    with pytest.raises(ValueError, match="UnidentifiedImageError"):
        hosted_scorer.open_image(b"not an image")
    with pytest.raises(ValueError, match="truncated"):
        hosted_scorer.open_image(jpeg("red", 0)[:-80])


def test_zip_and_bare_file_give_the_same_model(tmp_path, model_path, jpeg):
    zip_path = zip_of(tmp_path / "submission.zip", {"saved_model.pt": model_path.read_bytes()})
    image = hosted_scorer.open_image(jpeg("red", 0))
    direct = hosted_scorer.embed_image(hosted_scorer.load_submission(model_path), image)
    zipped = hosted_scorer.embed_image(hosted_scorer.load_submission(zip_path), image)
    assert direct.shape == (64,) and direct.dtype == np.float32
    assert (direct == zipped).all()
    assert hosted_scorer.sha256_of_model(zip_path) == sha256_of_file(model_path)
    assert hosted_scorer.sha256_of_model(model_path) == sha256_of_file(model_path)


def test_a_zip_without_the_model_at_its_root_says_what_is_in_it(tmp_path):
    for members, held in (
        ({"models/saved_model.pt": b"x", "notes.txt": b""}, "models/saved_model.pt, notes.txt"),
        ({}, "nothing"),
    ):
        path = zip_of(tmp_path / "submission.zip", members)
        with pytest.raises(ContractError, match=f"expected one saved_model.pt at the root, got: {held}"):
            hosted_scorer.load_submission(path)


def test_files_that_are_no_zip_or_no_model_are_named(tmp_path):
    (tmp_path / "submission.zip").write_bytes(b"PK but not really")
    with pytest.raises(ContractError, match=r"submission\.zip: not a zip"):
        hosted_scorer.load_submission(tmp_path / "submission.zip")
    with pytest.raises(ContractError, match=r"none\.zip: not a zip"):
        hosted_scorer.load_submission(tmp_path / "none.zip")
    with pytest.raises(ConfigError, match=r"none\.pt: no such file"):
        hosted_scorer.load_submission(tmp_path / "none.pt")
    (tmp_path / "saved_model.pt").write_bytes(b"pickle")
    with pytest.raises(ContractError, match=r"saved_model\.pt: torch\.jit\.load does not read it"):
        hosted_scorer.load_submission(tmp_path / "saved_model.pt")


def test_a_damaged_zip_is_an_error_and_not_a_model(tmp_path, model_path):
    path = zip_of(tmp_path / "submission.zip", {"saved_model.pt": model_path.read_bytes()})
    content = bytearray(path.read_bytes())
    content[1000] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ContractError, match="Bad CRC-32"):
        hosted_scorer.load_submission(path)


@pytest.mark.parametrize("n_threads", [0, 1, 3])
def test_threads_do_not_change_rows_or_their_order(model_path, jpeg, n_threads, monkeypatch):
    monkeypatch.setattr(hosted_scorer, "_IMAGES_IN_FLIGHT", 4)
    model = hosted_scorer.load_submission(model_path)
    encoded = [jpeg(["red", "green", "blue"][number % 3], number) for number in range(11)]
    names = [str(number) for number in range(11)]
    n_cores = torch.get_num_threads()
    embeddings = hosted_scorer.embed_images(model, iter(encoded), names, "test", n_threads)
    expected = [hosted_scorer.embed_image(model, hosted_scorer.open_image(one)) for one in encoded]
    assert embeddings == pytest.approx(np.stack(expected), abs=1e-6)
    assert torch.get_num_threads() == n_cores


def embed_with(answer):
    image = Image.new("RGB", (3, 2))
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    calls = iter(answer)
    return hosted_scorer.embed_images(lambda _: next(calls), [stream.getvalue()] * 2, ["a.png", "b.png"], "test", 1)


def test_answers_that_the_host_could_not_use_are_errors_with_the_image():
    good = torch.ones(1, 4)
    with pytest.raises(ContractError, match=r"b\.png, 3 x 2: expected finite float32, got float32 with 1 of 4"):
        embed_with([good, torch.tensor([[1.0, 2.0, float("nan"), 0.0]])])
    with pytest.raises(ContractError, match=r"a\.png, 3 x 2: expected finite float32, got float64"):
        embed_with([good.double(), good])
    with pytest.raises(ContractError, match=r"b\.png: the model gives 3 numbers, for a\.png it gave 4"):
        embed_with([good, torch.ones(1, 3)])


def test_a_model_that_fails_names_the_image(model_path):
    def failing(_):
        raise RuntimeError("operator missing")

    stream = io.BytesIO()
    Image.new("RGB", (3, 2)).save(stream, format="PNG")
    with pytest.raises(ContractError, match=r"a\.png, 3 x 2: the model fails: operator missing"):
        hosted_scorer.embed_images(failing, [stream.getvalue()], ["a.png"], "test")
    with pytest.raises(ConfigError, match=r"a\.png: image cannot be read"):
        hosted_scorer.embed_images(failing, [b"?"], ["a.png"], "test")


def test_more_than_64_numbers_break_the_contract(tmp_path):
    hosted_scorer.check_dimension(np.zeros((2, 64)), tmp_path)
    with pytest.raises(ContractError, match="gives 65 numbers an image, the host takes 64"):
        hosted_scorer.check_dimension(np.zeros((2, 65)), tmp_path)
