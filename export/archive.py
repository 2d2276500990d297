"""The TorchScript file as a zip: its version, its device tags, and a copy that is the same everywhere."""

import zipfile
from pathlib import Path

import torch

from data_prep.errors import ConfigError, ContractError
from train.saved_zip import inner_names

_CPU_TAG = b"X\x03\x00\x00\x00cpu"  # a pickled string: opcode, length, text
_CUDA_TAG = b"X\x06\x00\x00\x00cuda:0"


def archive_version(path: Path) -> int:
    """The format version, which torch chooses by the operators used; 1.11 reads up to 9."""
    with _opened(path) as archive:
        return int(archive.read(_record(archive, path, "version", ".data/version")))


def device_tags(path: Path) -> set[str]:
    """The devices a load without `map_location` puts tensors on: 'cpu', 'cuda:0' or both."""
    with _opened(path) as archive:
        pickled = archive.read(_record(archive, path, "data.pkl"))
    return {name for name, tag in (("cpu", _CPU_TAG), ("cuda:0", _CUDA_TAG)) if tag in pickled}


def check_exported(path: Path) -> None:
    """Refuse what is plainly no exported file, before anything is loaded; `torch.jit.load` has the last word.

    Raises:
        ConfigError: nothing there, a folder, or a checkpoint.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: a folder; the exported file in it would be {path / 'saved_model.pt'}")
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; make export writes it")
    names = inner_names(path)
    if "data.pkl" in names and "constants.pkl" not in names:  # tensors without the code that TorchScript keeps
        raise ConfigError(f"{path}: a checkpoint; python -m export.convert {path} makes an exported file of it")


def rewrite_for_host(saved: Path, out: Path) -> None:
    """Copy a file of `torch.jit.save`: tagged for `cuda:0`, and free of where and when it was made.

    A file saved on a machine without a GPU says `cpu`, and the host, which only calls `torch.jit.load`, would
    then run it on the CPU. The tag is one string of the pickles; `map_location="cpu"` overrides it. Debug
    records (source paths of this machine, which 1.11 cannot read) and the file name used while saving are
    left out.
    """
    with zipfile.ZipFile(saved) as source, open(out, "wb") as stream:
        # torch's writer, not zipfile's: that one marks offsets from 2 GiB on in a way 1.11 takes for damage.
        target = torch._C.PyTorchFileWriter(stream)
        for record in source.infolist():
            inner_name = record.filename.partition("/")[2]
            content = source.read(record)
            if inner_name in ("version", ".data/version"):
                target.set_min_version(int(content))  # the writer adds the record itself
            elif inner_name in ("data.pkl", "constants.pkl"):
                _write(target, inner_name, content.replace(_CPU_TAG, _CUDA_TAG))
            elif not inner_name.endswith(".debug_pkl") and inner_name != ".data/serialization_id":
                _write(target, inner_name, content)
        target.write_end_of_file()


def _write(target: torch._C.PyTorchFileWriter, inner_name: str, content: bytes) -> None:
    target.write_record(inner_name, content, len(content))


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise ContractError(f"{path}: not a TorchScript file: {error}") from error


def _record(archive: zipfile.ZipFile, path: Path, *inner_names: str) -> str:
    """Full name of the one record that has any of the names below the archive's root folder."""
    names = [name for name in archive.namelist() if name.partition("/")[2] in inner_names]
    if len(names) != 1:
        expected = " or ".join(inner_names)
        raise ContractError(f"{path}: not a TorchScript file: expected one record {expected}, got {len(names)}")
    return names[0]
