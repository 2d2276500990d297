"""img2dataset's Resizer, in a Python that has it: `python img2dataset_worker.py IMAGE_PX QUALITY`.

Reads a folder of JPEGs from each line of its input, resizes all of them once, and answers with the CPU seconds; after
a second folder on the line, separated by a tab, it leaves the results there and answers 0. It imports nothing of this
project, because img2dataset wants other versions of its libraries.
"""

import io
import sys
import time
from pathlib import Path

from img2dataset.resizer import Resizer


def main() -> None:
    """Serve until the input ends."""
    image_px, quality = map(int, sys.argv[1:])
    # Its defaults: area filter for shrinking, 4:2:0 chroma. The quality is that of the others.
    resizer = Resizer(image_px, "keep_ratio", resize_only_if_bigger=True, encode_quality=quality)
    contents: dict[str, dict[str, bytes]] = {}
    for line in sys.stdin:
        source, _, target = line.rstrip("\n").partition("\t")
        if source not in contents:
            contents[source] = {path.name: path.read_bytes() for path in sorted(Path(source).glob("*.jpg"))}
        start = time.process_time()
        results = {name: resizer(io.BytesIO(content)) for name, content in contents[source].items()}
        seconds = time.process_time() - start
        for name, (jpeg, *_, error) in results.items():
            assert error is None, f"{name}: {error}"
            if target:
                (Path(target) / name).write_bytes(jpeg)
        print(0 if target else seconds, flush=True)


if __name__ == "__main__":
    main()
