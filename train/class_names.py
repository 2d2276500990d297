"""What the classes of a source are called, for an image-text tower to read."""

from collections.abc import Sequence
from pathlib import Path

from data_prep.errors import ConfigError
from data_prep.sources.layouts import read_text_csv


def class_names(source: str, class_keys: Sequence[str], csv_path: Path | None = None) -> list[str]:
    """The name of each class key: from a CSV with columns class_key and name, else the key itself, '_' as a space.

    Raises:
        ConfigError: a class without a name, two names for a class, or keys that are numbers and no CSV.
    """
    if csv_path is None:
        numbers = [key for key in class_keys if not any(letter.isalpha() for letter in key)]
        if numbers:
            raise ConfigError(
                f"{source}: {len(numbers)} class key(s) are no names, first {numbers[0]!r}; give a CSV with columns "
                f"class_key,name: --class-names {source}=names.csv"
            )
        return [key.replace("_", " ") for key in class_keys]
    table = read_text_csv(csv_path, ["class_key", "name"], f"{source}: class names")
    twice = table.filter(table["class_key"].is_duplicated())
    if not twice.is_empty():
        raise ConfigError(f"{source}: {csv_path} names class {twice['class_key'][0]!r} more than once")
    name_by_key = {key: name.strip() for key, name in table.iter_rows() if name.strip()}
    nameless = [key for key in class_keys if key not in name_by_key]
    if nameless:
        raise ConfigError(f"{source}: {len(nameless)} of {len(class_keys)} classes have no name in {csv_path}, "
                          f"first {nameless[0]!r}")
    return [name_by_key[key] for key in class_keys]
