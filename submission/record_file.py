"""JSON records of a run folder: read with the keys that are needed, or refused with the way to a good one."""

import json
from collections.abc import Sequence
from pathlib import Path


def read_record(path: Path, keys: Sequence[str], remedy: str, refusal: type[Exception]) -> dict:
    """The object in an existing file.

    Args:
        path: of the file.
        keys: that it must have.
        remedy: what to do about a file that is not right, as the message's last words.
        refusal: the error to raise.

    Raises:
        refusal: not JSON, not an object, or a key is missing.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise refusal(f"{path}: not JSON: {error}; {remedy}") from error
    if not isinstance(record, dict):
        raise refusal(f"{path}: expected an object, got {type(record).__name__}; {remedy}")
    missing = [key for key in keys if key not in record]
    if missing:
        raise refusal(f"{path}: has no {', '.join(missing)}; {remedy}")
    return record
