"""A full disk is told before anything is acknowledged, and folders made to harm do none."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from acts import open_session, read_log
from model import pictures, square

FILLS = int(os.environ.get("EVAVOS_FILLS", "3"))
"""How often the disk is full; ``make torture`` does it 40 times."""

ROOM = 512 * 2**20
"""Bytes of memory that a hostile folder may cost on top of what Python takes."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits are set by setrlimit")

FULL = """
import json, random, resource, signal, sys, warnings
sys.path.insert(0, sys.argv[1])
from acts import choose, do, follow, open_session, read_log
from model import Model, pictures

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a full disk is an error, not the end
warnings.simplefilter("ignore")  # that masks, which are a cache, could not be saved
folder, log, seed, fills = sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
chance = random.Random(seed)
model, refused = Model(), 0
journal = f"{folder}/journal.jsonl"
with open(log, "w") as file, open_session(pictures(), folder) as session:
    for fill in range(fills):
        size = len(open(journal, "rb").read())
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + chance.randrange(2500), most))
        told = 0
        while told < 3:
            act = choose(chance, model)
            try:
                outcome = do(session, act)
            except OSError as error:
                told, refused = told + 1, refused + 1
                assert model.is_of(session), (act, error)
                continue
            follow(model, act, outcome)
            acts = json.dumps({"done": act, "outcome": outcome})
            lines = globals().setdefault("lines", [])
            lines.append(acts)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        for _ in range(5):  # there is room again
            act = choose(chance, model)
            outcome = do(session, act)
            follow(model, act, outcome)
            lines.append(json.dumps({"done": act, "outcome": outcome}))
    file.write("\\n".join(lines))
print(refused, len(lines))
"""


def test_a_full_disk_is_told_and_room_again_is_used(tmp_path: Path):
    folder, log = tmp_path / "s", tmp_path / "log"
    here = str(Path(__file__).parent)
    ran = subprocess.run(
        [sys.executable, "-c", FULL, here, str(folder), str(log), "5", str(FILLS)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    refused, kept = map(int, ran.stdout.split())
    print(f"\n{FILLS} full disks: {refused} changes refused, {kept} acknowledged")
    assert refused == 3 * FILLS
    model, _ = read_log(log.read_text().splitlines())
    with open_session(pictures(), folder) as session:
        assert model.is_of(session)


# Folders made to harm ---------------------------------------------------------------------


def a_session(folder: Path) -> Path:
    with open_session(pictures(), folder) as session:
        obj = session.add_object()
        session.annotate(2, square(5, 5, 9), objects=[obj])
        session.propagate()
    return folder


OPEN = """
import resource, sys, warnings
sys.path.insert(0, sys.argv[1])
from acts import open_session
from model import pictures
frames = pictures()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    try:
        with open_session(frames, sys.argv[2]) as session:
            found = len(session.annotations)
    except (OSError, ValueError, RuntimeError) as error:
        found = f"{type(error).__name__}: {error}"
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
import json
print(json.dumps([found, [str(w.message) for w in told], grown]))
"""


def opened(folder: Path) -> tuple[int | str, list[str], int]:
    """Annotated frames or the error, the warnings, and by how many bytes memory grew."""
    ran = subprocess.run(
        [sys.executable, "-c", OPEN, str(Path(__file__).parent), str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    found, told, grown = json.loads(ran.stdout)
    for sentence in [*told, *([found] if isinstance(found, str) else [])]:
        assert "\n" not in sentence
        assert len(sentence) < 700
    assert grown < ROOM, f"{grown / 2**20:.0f} MiB"
    return found, told, grown


def zeros(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(path.stat().st_size + 8 * 2**30)  # sparse: takes no room


def long_line(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"00000000 {")
        file.truncate(path.stat().st_size + 2 * 2**30)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("harm", [zeros, long_line, a_folder, a_pipe])
def test_a_journal_that_is_none(tmp_path: Path, harm):
    folder = a_session(tmp_path / "s")
    harm(folder / "journal.jsonl")
    found, _, _ = opened(folder)
    assert isinstance(found, str)
    assert str(folder) in found


def bomb(path: Path) -> None:
    """A small file that says it holds 8 GB, and expands to a part of it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        shape = {"descr": "<i8", "fortran_order": False, "shape": (2**30,)}
        np.lib.format.write_array_header_1_0(header, shape)
        with archive.open("offsets.npy", "w", force_zip64=True) as member:
            member.write(header.getvalue())
            for _ in range(8):
                member.write(bytes(2**24))


def claim(path: Path) -> None:
    """As `bomb`, with nothing behind the claim."""
    with zipfile.ZipFile(path, "w") as archive:
        header = io.BytesIO()
        shape = {"descr": "<i8", "fortran_order": False, "shape": (2**50,)}
        np.lib.format.write_array_header_1_0(header, shape)
        archive.writestr("offsets.npy", header.getvalue())


def runs_of_a_bomb(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("runs.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(8):
            member.write(bytes(2**24))


def places_outside(path: Path) -> None:
    """Masks that begin after the end of the runs, or before their start."""
    with np.load(path) as saved:
        arrays = dict(saved)
    arrays["where"] = arrays["where"] + 10**6
    np.savez(path, **arrays)


def pickled(path: Path) -> None:
    np.savez(path, offsets=np.array([print], dtype=object))


@pytest.mark.parametrize(
    "harm", [bomb, claim, runs_of_a_bomb, places_outside, pickled, a_folder, a_pipe, zeros]
)
def test_saved_masks_that_are_none(tmp_path: Path, harm):
    folder = a_session(tmp_path / "s")
    harm(folder / "masks.npz")
    found, told, _ = opened(folder)
    assert found == 1, "every annotation is there"
    assert any("computes the masks again" in sentence for sentence in told)
