"""Reads an offline .wandb file: LevelDB-style records that hold protobuf messages."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

FILE_HEADER, BLOCK, RECORD_HEADER = 7, 32768, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


@dataclass
class WandbRun:
    run_ids: set[str] = field(default_factory=set)
    config: dict[str, Any] = field(default_factory=dict)
    history_keys: set[str] = field(default_factory=set)
    artifact_types: set[str] = field(default_factory=set)
    group: str = ""
    job_type: str = ""
    tags: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)


def records(path: Path):
    data = path.read_bytes()
    position, parts = FILE_HEADER, []
    while position + RECORD_HEADER <= len(data):
        left = BLOCK - position % BLOCK
        if left < RECORD_HEADER:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + RECORD_HEADER])
        if kind == 0:
            break
        parts.append(data[position + RECORD_HEADER : position + RECORD_HEADER + length])
        position += RECORD_HEADER + length
        if kind in (FULL, LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(b"".join(parts))
            parts = []
            yield record


def read_wandb(path: Path) -> WandbRun:
    run = WandbRun()
    for record in records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run.run_ids.add(record.run.run_id)
            run.group, run.job_type, run.tags = record.run.run_group, record.run.job_type, list(record.run.tags)
            run.config.update({item.key: json.loads(item.value_json) for item in record.run.config.update})
        elif kind == "config":
            run.config.update({item.key: json.loads(item.value_json) for item in record.config.update})
        elif kind == "history":
            run.history_keys |= {item.key or "/".join(item.nested_key) for item in record.history.item}
        elif kind == "summary":
            items = ((item.key or "/".join(item.nested_key), item.value_json) for item in record.summary.update)
            run.summary.update({key: json.loads(value) for key, value in items})
        elif kind == "artifact":
            run.artifact_types.add(record.artifact.type)
        elif kind == "request" and record.request.WhichOneof("request_type") == "log_artifact":
            run.artifact_types.add(record.request.log_artifact.artifact.type)
    return run
