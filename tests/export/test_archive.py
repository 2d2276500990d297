"""The zip around TorchScript: read, tagged, and free of where it was made."""

import zipfile

import pytest
import torch

from data_prep.errors import ContractError
from export.archive import archive_version, device_tags, rewrite_for_host


@pytest.fixture(scope="module")
def module():
    return torch.jit.trace(torch.nn.Linear(3, 2), torch.zeros(1, 3))


@pytest.fixture
def saved(module, tmp_path):
    path = tmp_path / "as_torch_saved_it.pt"
    torch.jit.save(module, str(path))
    return path


def test_rewritten_file_is_tagged_aligned_and_loads_the_same(saved, tmp_path):
    out = tmp_path / "out.pt"
    rewrite_for_host(saved, out)
    assert device_tags(saved) == {"cpu"} and device_tags(out) == {"cuda:0"}
    assert archive_version(out) == archive_version(saved) <= 9
    x = torch.randn(4, 3)
    assert torch.equal(torch.jit.load(out, map_location="cpu")(x), torch.jit.load(saved)(x))
    with zipfile.ZipFile(out) as archive, open(out, "rb") as stream:
        assert archive.testzip() is None
        names = archive.namelist()
        assert {name.partition("/")[0] for name in names} == {"archive"}
        assert "archive/data.pkl" in names and not any(name.endswith(".debug_pkl") for name in names)
        for record in archive.infolist():
            stream.seek(record.header_offset + 26)
            lengths = stream.read(4)
            header_bytes = 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
            assert (record.header_offset + header_bytes) % 64 == 0  # torch maps tensors into memory


def test_the_tag_is_obeyed_without_map_location(saved, tmp_path):
    rewrite_for_host(saved, tmp_path / "out.pt")
    if torch.cuda.is_available():
        assert next(torch.jit.load(tmp_path / "out.pt").parameters()).is_cuda
    else:
        with pytest.raises(RuntimeError, match=r"CUDA|NVIDIA|cuda"):
            torch.jit.load(tmp_path / "out.pt")


def test_same_bytes_whatever_the_file_was_called(module, saved, tmp_path):
    renamed = tmp_path / "other_name.pt"
    torch.jit.save(module, str(renamed))
    assert renamed.read_bytes() != saved.read_bytes()
    for source, out in ((saved, "a.pt"), (renamed, "b.pt")):
        rewrite_for_host(source, tmp_path / out)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_other_files_are_named(tmp_path):
    text = tmp_path / "text.pt"
    text.write_text("no zip")
    with pytest.raises(ContractError, match=r"text\.pt: not a TorchScript file"):
        archive_version(text)
    with zipfile.ZipFile(tmp_path / "empty.pt", "w") as archive:
        archive.writestr("a/b", "c")
    with pytest.raises(ContractError, match=r"expected one record data\.pkl, got 0"):
        device_tags(tmp_path / "empty.pt")
