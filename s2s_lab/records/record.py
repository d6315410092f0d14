"""A record in a JSON file: an object with a schema's number and the shape that its readers rely on."""

from pathlib import Path
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import read_json
from s2s_lab.records.shape import Shape, check_shape


def read_record(path: Path, *, schema: int, shape: Shape) -> dict[str, Any]:
    """Read a record.

    Args:
        path: Of the file.
        schema: The newest that this version reads.
        shape: What readers rely on.

    Raises:
        RequestError: If it is missing, no JSON object, of another shape, of a newer schema or of none; one line.
    """
    found = read_json(path)
    if not isinstance(found, dict):
        raise RequestError(f"{path}: expected a JSON object, found {type(found).__name__}")
    number = found.get("schema")
    if not isinstance(number, int):
        raise RequestError(f"{path}: schema is {number!r}, expected a number from 1 to {schema}")
    if number > schema:
        raise RequestError(f"{path}: schema {number} is newer than this s2s_lab reads ({schema}); update s2s_lab")
    check_shape(found, shape, str(path))
    return found
