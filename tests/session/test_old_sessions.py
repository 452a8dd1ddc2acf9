"""Sessions written by an earlier version open as they were closed."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from evavos_widget.session import Session

FOLDER = Path(__file__).parent / "version_1"


@pytest.fixture
def old(tmp_path) -> tuple[Path, dict]:
    folder = tmp_path / "old.evavos"
    folder.mkdir()
    for name in ("journal.jsonl", "masks.npz"):
        shutil.copy(FOLDER / name, folder / name)
    return folder, json.loads((FOLDER / "held.json").read_text())


def frames():
    spec = importlib.util.spec_from_file_location("version_1_make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.frames()


def test_it_is_what_it_was(old):
    folder, held = old
    with Session.open(folder, video=frames()) as session:
        assert [[o.id, o.name, o.color, o.locked] for o in session.objects] == held["objects"]
        pixels = {
            str(f): {str(o): int((a.labels == o).sum()) for o in sorted(a.objects)}
            for f, a in sorted(session.annotations.items())
        }
        # A merge of version 1 took half of its masks from a pass, which only the saved masks
        # of the last state remember: frames that were merged may hold less.
        assert pixels.keys() == held["annotated"].keys()
        assert [{str(o): int((m == o).sum()) for o in (1, 2, 3)} for m in session.masks] == held[
            "masks"
        ]
        assert sorted([f, o, m] for (f, o), m in session.marks.items()) == held["marks"]
        assert session.seconds == held["seconds"]
        assert [r.kind for r in session.rounds] == held["kinds"]
        assert sorted(session.stale) == held["stale"]
        assert [session.can_undo, session.can_redo] == [held["undo"], held["redo"]]


def test_it_goes_on_in_the_present_version(old):
    folder, _ = old
    with Session.open(folder, video=frames()) as session:
        session.label_points(4, 2, [(1, 1, "positive")])
        session.undo()
        session.annotate(5, session.masks[0] == 2, objects=[2])
        annotated = sorted(session.annotations)
    with Session.open(folder, video=frames()) as session:
        assert sorted(session.annotations) == annotated
        assert session.can_undo == "mask on frame 5"
        session.undo()
        session.redo()
    lines = (folder / "journal.jsonl").read_text().splitlines()
    assert sum('"version":2' in line for line in lines) == 1
