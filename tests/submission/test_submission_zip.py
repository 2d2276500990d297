"""The zip: its bytes, its layout, and the second look before it gets its name."""

import os
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from data_prep.errors import ContractError
from submission import hosted_scorer, submission_zip
from submission.submission_zip import check_zip, odd_image, write_checked_zip


def test_the_zip_holds_the_model_at_its_root_and_answers_as_it_does(tmp_path, model_path):
    zip_path = tmp_path / "submission.zip"
    write_checked_zip(model_path, zip_path)
    with zipfile.ZipFile(zip_path) as archive:
        assert archive.namelist() == ["saved_model.pt"]
        assert archive.read("saved_model.pt") == model_path.read_bytes()
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
    embedding = hosted_scorer.embed_image(hosted_scorer.load_submission(zip_path), odd_image())
    assert embedding.shape == (64,) and np.linalg.norm(embedding) == pytest.approx(1)


def test_the_same_model_gives_the_same_bytes_whatever_its_time_stamp(tmp_path, model_path):
    write_checked_zip(model_path, tmp_path / "first.zip")
    os.utime(model_path, (1_000_000_000, 1_000_000_000))
    write_checked_zip(model_path, tmp_path / "second.zip")
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_the_odd_image_is_odd_and_fixed():
    image = odd_image()
    assert image.size == (211, 37) and image.mode == "RGB"
    assert (np.asarray(image) == np.asarray(odd_image())).all()
    assert np.asarray(image).std() > 30


class Answer(nn.Module):
    """Whatever the image, the same answer of the wanted width, length and type."""

    def __init__(self, n_values: int, length: float, double: bool) -> None:
        super().__init__()
        values = torch.ones(1, n_values) * length / n_values**0.5
        self.register_buffer("values", values.double() if double else values)

    def forward(self, image):
        return self.values


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(65, 1.0, False), r"got float32 \(65,\), expected float32 \(64,\)"),
        (Answer(64, 1.0, True), r"got float64 \(64,\)"),
        (Answer(64, 2.0, False), "got length 2.0"),
        (Answer(64, float("nan"), False), "got length nan"),
    ],
)
def test_a_model_that_breaks_the_contract_leaves_no_zip(tmp_path, answer, message):
    model_path, zip_path = tmp_path / "saved_model.pt", tmp_path / "submission.zip"
    torch.jit.save(torch.jit.script(answer), str(model_path))
    zip_path.write_bytes(b"of an earlier model")
    with pytest.raises(ContractError, match=message):
        write_checked_zip(model_path, zip_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved_model.pt"]


def test_a_zip_of_another_model_is_refused(tmp_path, model_path):
    write_checked_zip(model_path, tmp_path / "submission.zip")
    other_path = tmp_path / "other.pt"
    torch.jit.save(torch.jit.script(Answer(64, 1.0, False)), str(other_path))
    with pytest.raises(ContractError, match=r"submission\.zip: holds model .* expected .*other\.pt"):
        check_zip(tmp_path / "submission.zip", other_path)


def test_a_zip_that_answers_differently_is_refused(tmp_path, model_path, monkeypatch):
    write_checked_zip(model_path, tmp_path / "submission.zip")
    answers = iter([np.eye(64, dtype=np.float32)[0], np.eye(64, dtype=np.float32)[1]])
    monkeypatch.setattr(submission_zip, "embed_image", lambda *_: next(answers))
    with pytest.raises(ContractError, match=r"differs from the model itself by 1\.0e\+00"):
        check_zip(tmp_path / "submission.zip", model_path)
