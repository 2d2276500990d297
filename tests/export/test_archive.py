"""The zip around TorchScript: read, tagged, and free of where it was made."""

import zipfile

import pytest
import torch

from data_prep.errors import ConfigError, ContractError
from export.archive import archive_version, check_exported, device_tags, rewrite_for_host


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


def test_what_is_plainly_no_exported_file_is_refused_with_what_to_give(saved, module, tmp_path):
    check_exported(saved)
    rewrite_for_host(saved, tmp_path / "out.pt")
    check_exported(tmp_path / "out.pt")
    (tmp_path / "odd.pt").write_bytes(b"neither")  # for torch.jit.load to refuse
    check_exported(tmp_path / "odd.pt")
    torch.save(module.state_dict(), tmp_path / "final.ckpt")
    for path, message in ((tmp_path / "final.ckpt", r"a checkpoint; python -m export\.convert .*final\.ckpt makes"),
                          (tmp_path, r"a folder; the exported file in it would be .*saved_model\.pt"),
                          (tmp_path / "none.pt", "no such file; make export writes it")):
        with pytest.raises(ConfigError, match=message):
            check_exported(path)
