"""What a session keeps in its folder, by name; exports are put beside it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["JOURNAL_FILE", "LOCK_FILE", "MASKS_FILE", "QUESTIONS_FILE", "is_of_a_session"]

JOURNAL_FILE = "journal.jsonl"
"""Everything that was said, a line for each change."""

MASKS_FILE = "masks.npz"
"""The masks of the last pass, which can be computed again."""

QUESTIONS_FILE = "verification.json"
"""What is asked about points; the answers are in the journal."""

LOCK_FILE = ".lock"
"""Whoever holds it may write."""


def is_of_a_session(path: Path) -> bool:
    """Whether a session keeps its own file at `path`, or will."""
    own = (JOURNAL_FILE, MASKS_FILE, QUESTIONS_FILE, LOCK_FILE)
    # Not every disk tells upper from lower case.
    return path.name.lower() in own and (path.parent / JOURNAL_FILE).exists()
