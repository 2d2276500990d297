"""What lies in a file of `torch.save` or `torch.jit.save`, told without loading it: both are zips of one folder."""

import zipfile
from pathlib import Path


def inner_names(path: Path) -> set[str]:
    """Names of the records without the folder they lie in; empty for a file that is no zip.

    `data.pkl` is in both kinds; `constants.pkl`, beside the code, in those of `torch.jit.save` alone.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.partition("/")[2] for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return set()
