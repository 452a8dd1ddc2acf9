"""What several commands share."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

__all__ = [
    "data_options",
    "numbers",
    "output_file",
    "plus_minus",
    "schedule_options",
    "write",
]


def data_options() -> argparse.ArgumentParser:
    """The options of what reads a dataset, to be a parent of others."""
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, required=True, help="has JPEGImages and Annotations")
    data.add_argument("--sequences", required=True, help="A,B,... or @FILE with one name a line")
    data.add_argument("--json", type=output_file, help="write the figures there")
    return data


def schedule_options() -> argparse.ArgumentParser:
    """The option of what orders the annotations of several objects, to be a parent of others."""
    order = argparse.ArgumentParser(add_help=False)
    order.add_argument(
        "--schedule",
        choices=["equal-seconds", "round-robin", "value", "oracle"],
        help="in which order objects get their annotations; by default equal-seconds where there "
        "is a budget, round-robin where there is none",
    )
    return order


def numbers(spec: str) -> list[int]:
    """The whole numbers of ``"A-B"`` or ``"A,B,..."``."""
    try:
        first, _, last = spec.partition("-")
        found = range(int(first), int(last) + 1) if last else [int(n) for n in spec.split(",")]
    except ValueError:
        found = ()
    if not found:
        raise ValueError(f"{spec!r} is no list of numbers; give A-B, from low to high, or A,B,...")
    return list(dict.fromkeys(found))


def plus_minus(error: float | None) -> str:
    """A standard error as it stands behind a number; nothing where there is none."""
    return "" if error is None else f" +- {error:.3f}"


def output_file(spec: str) -> Path:
    """A file that is to be written, of which it is known before the work that it can be.

    Of ``type`` of an argument: what it raises is told with the option's name.
    """
    path = Path(spec).expanduser()
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    there = path if path.exists() else folder
    if path.is_dir() or not folder.is_dir() or not os.access(there, os.W_OK):
        raise argparse.ArgumentTypeError(f"{spec!r} cannot be written; give a file that can be")
    return path


def write(result: dict[str, Any], path: Path | None) -> None:
    """Write figures as JSON, where a file was asked for."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
