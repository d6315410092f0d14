"""One epoch of an encoded split through sampler and collator: from {folder, max_sentences}."""

import json
import sys
import time
from pathlib import Path

MB = 1024  # kB


def main() -> None:
    """Streams the split and prints one line of JSON."""
    from s2s_lab.data.bucketing import BucketedBatches
    from s2s_lab.data.collate import Collator
    from s2s_lab.data.encoded import EncodedSplit

    task = json.loads(sys.argv[1])
    before = memory("VmHWM")
    began = time.perf_counter()
    split = EncodedSplit(Path(task["folder"]))
    batches = BucketedBatches(
        source_lengths=split.source_lengths, target_lengths=split.target_lengths, max_sentences=task["max_sentences"],
        shuffle=True, seed=1,
    )  # fmt: skip
    collator = Collator(split)
    real = padded = count = 0
    first = planned = own = 0.0
    for rows in batches:
        batch = collator[rows]
        ((source_ids, source_lengths),) = batch.sources
        if not count:
            first, planned = time.perf_counter() - began, memory("VmHWM")
        real += int(source_lengths.sum()) + int(batch.target_lengths.sum())
        padded += source_ids.numel() + batch.targets.numel()
        count += 1
        if count % 100 == 1:
            own = max(own, memory("RssAnon"))
    seconds = time.perf_counter() - began
    facts = {
        "pairs": len(split), "batches": count, "seconds": round(seconds, 4), "first_batch_s": round(first, 4),
        "pairs_per_s": round(len(split) / seconds, 1), "padded_tokens_per_s": round(padded / seconds, 1),
        "fill": round(real / padded, 4), "peak_memory_mb": round(memory("VmHWM"), 1),
        "peak_own_memory_mb": round(own, 1), "imports_mb": round(before, 1), "planned_mb": round(planned, 1),
    }  # fmt: skip
    print(json.dumps(facts))


def memory(field: str) -> float:
    """A field of /proc/self/status in MB: VmHWM (peak resident), RssAnon (resident, without pages of files)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / MB
    return float("nan")


if __name__ == "__main__":
    main()
