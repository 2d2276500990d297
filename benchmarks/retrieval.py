"""Exact nearest neighbours at UnED's size: `train/retrieval/knn.py` beside faiss' IndexFlatIP on the same cores.

python -m benchmarks.retrieval [--index 1400000] [--queries 1024] [--k 5 100] [--rounds 3] [--quick] [--write]

64-D unit vectors in classes of a few images each, as embeddings lie. A slice of the queries against the whole index.
The ways take turns in one process and a ratio is the median over the rounds, wall clock and CPU time of the process.
Limit: this machine's own matrix product of the same size. Ours includes what faiss' time does not: checks, scores in
float64 and the fixed order of ties. The faiss index is built beforehand. Neighbours must be the same but for ties.
Memory: the largest VmHWM of a process that holds all 242,000 queries, the index and one way (Linux).

--write puts the tables into benchmarks/RESULTS.md. Ends with status 1 if a limit is missed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.sections import process_peak_mb, report_missed, times_longer, write_section

OURS, PEER, PRODUCT = "train/retrieval/knn.py", "faiss IndexFlatIP", "matrix product alone"
DIM, IMAGES_PER_CLASS, NOISE = 64, 4, 0.8
N_ALL_QUERIES = 241_986  # of UnED
LEAST_TIMES_FASTER, MOST_MB, SAME_SCORE = 1.0, 4000.0, 1e-6
HEADING = "Exact nearest neighbours"


def embeddings_like(n_index: int, n_queries: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit float32 queries [n_queries, 64] and index [n_index, 64] around common class directions."""
    rng = np.random.default_rng(seed)
    n_classes = max(1, n_index // IMAGES_PER_CLASS)
    centres = rng.standard_normal((n_classes, DIM), dtype=np.float32)
    return _around(centres, n_queries, rng), _around(centres, n_index, rng)


def _around(centres: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    found = centres[rng.integers(0, len(centres), n)]
    found += NOISE * rng.standard_normal(found.shape, dtype=np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def build_searches(queries: np.ndarray, index: np.ndarray, k: int, names: tuple[str, ...]) -> dict[str, Callable]:
    """Name -> search that returns rows [Q, k]."""
    searches: dict[str, Callable] = {}
    if OURS in names:
        from train.retrieval import knn

        searches[OURS] = lambda: knn.search(queries, index, k)
    if PEER in names:
        import faiss

        flat = faiss.IndexFlatIP(DIM)
        flat.add(index)
        searches[PEER] = lambda: flat.search(queries, k)[1]
    if PRODUCT in names:
        searches[PRODUCT] = lambda: _products(queries, index)
    return searches


def _products(queries: np.ndarray, index: np.ndarray, n_rows: int = 4096, n_queries: int = 1024) -> None:
    import torch

    table = torch.empty(n_rows, n_queries)
    vectors = torch.from_numpy(index)
    for first in range(0, len(queries), n_queries):
        part = torch.from_numpy(queries[first : first + n_queries]).T.contiguous()
        for start in range(0, len(index), n_rows):
            block = vectors[start : start + n_rows]
            torch.mm(block, part, out=table[: len(block), : part.shape[1]])


def measure(queries: np.ndarray, index: np.ndarray, k: int, rounds: int) -> tuple[dict, float, float]:
    """Way -> (wall, CPU) seconds of each round; share of equal rows; largest difference of scores at the same rank."""
    searches = build_searches(queries, index, k, (OURS, PEER, PRODUCT))
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in searches}
    found = {}
    for search in build_searches(queries[:8], index[:8192], k, tuple(searches)).values():
        search()  # libraries and threads are there
    for _ in range(rounds):
        for name, search in searches.items():
            wall, cpu = time.perf_counter(), time.process_time()
            found[name] = search()
            seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return seconds, *differences(queries, index, found[OURS], found[PEER])


def differences(queries: np.ndarray, index: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Share of equal rows; the largest difference in float64 between the scores at the same rank."""
    ours_scores, their_scores = (
        np.einsum("qd,qkd->qk", queries.astype(np.float64), index[rows].astype(np.float64)) for rows in (ours, theirs)
    )
    return float((ours == theirs).mean()), float(np.abs(ours_scores - their_scores).max())


def measure_memory_here(name: str, n_index: int, n_queries: int, k: int) -> float:
    """Peak MB of this whole process."""
    queries, index = embeddings_like(n_index, N_ALL_QUERIES)
    build_searches(queries[:n_queries], index, k, (name,))[name]()
    return process_peak_mb()


def measure_memory(n_index: int, n_queries: int, k: int) -> dict[str, float]:
    """Way -> peak MB, each in a process of its own."""
    found = {}
    for name in (OURS, PEER):
        command = [sys.executable, "-m", "benchmarks.retrieval", "--memory-of", name, "--index", str(n_index),
                   "--queries", str(n_queries), "--k", str(k)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
        found[name] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(title: str, n_queries: int, seconds: dict, memory_mb: dict[str, float]) -> list[str]:
    """One markdown table."""
    extrapolated = f"all {N_ALL_QUERIES:,} queries, extrapolated"
    lines = [f"| {title} | s | CPU s | x faiss | x faiss, CPU | {extrapolated} | peak MB |",
             "|" + "---|" * 7]
    for name, rounds in seconds.items():
        wall, cpu = (statistics.median(one[clock] for one in rounds) for clock in (0, 1))
        hours = wall * N_ALL_QUERIES / n_queries / 3600
        memory = f"{memory_mb[name]:.0f}" if name in memory_mb else ""
        faster = " | ".join(f"{times_longer(seconds, name, PEER, clock):.2f}" for clock in (0, 1))
        lines.append(f"| {name} | {wall:.2f} | {cpu:.2f} | {faster} "
                     f"| {hours:.2f} h | {memory} |")
    return lines


def missed_limits(where: str, seconds: dict, memory_mb: dict[str, float], gap: float) -> list[str]:
    """What the figures miss, in words."""
    missed = []
    faster = times_longer(seconds, OURS, PEER, 0)
    if faster < LEAST_TIMES_FASTER:
        missed.append(f"{where}: {faster:.2f} x {PEER}, at least {LEAST_TIMES_FASTER} wanted")
    if memory_mb[OURS] > MOST_MB:
        missed.append(f"{where}: {memory_mb[OURS]:.0f} MB, at most {MOST_MB:.0f} wanted")
    if gap > SAME_SCORE:
        missed.append(f"{where}: scores at the same rank differ by {gap:.1e}, not a tie")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.retrieval", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--index", type=int, default=1_400_000)
    parser.add_argument("--queries", type=int, default=1024)
    parser.add_argument("--k", type=int, nargs="+", default=[5, 100])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="100,000 rows, 256 queries, 1 round: does it run?")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/RESULTS.md")
    parser.add_argument("--memory-of", choices=(OURS, PEER), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print(json.dumps(measure_memory_here(options.memory_of, options.index, options.queries, options.k[0])))
        return 0
    n_index, n_queries, rounds = options.index, options.queries, options.rounds
    if options.quick:
        n_index, n_queries, rounds = 100_000, 256, 1
    queries, index = embeddings_like(n_index, n_queries)
    lines, missed = [], []
    for k in options.k:
        seconds, same, gap = measure(queries, index, k, rounds)
        memory_mb = measure_memory(n_index, min(n_queries, 1024), k)
        lines += [*table(f"{n_queries:,} x {n_index:,}, k={k}", n_queries, seconds, memory_mb), "",
                  f"The same row in {same:.4%} of the ranks; scores at the same rank differ by at most {gap:.1e}.", ""]
        missed += missed_limits(f"k={k}", seconds, memory_mb, gap)
    print("\n".join(lines))
    if options.write:
        ks = " ".join(map(str, options.k))
        command = f"python -m benchmarks.retrieval --index {n_index} --queries {n_queries} --k {ks} --rounds {rounds}"
        write_section(HEADING, command, lines[:-1])
    return report_missed(missed)


if __name__ == "__main__":
    sys.exit(main())
