"""What is kept, where, and what opens again after damage, a full disk, another version."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
import textwrap
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from evavos_widget.formats import import_masks
from evavos_widget.prompts import Costs
from evavos_widget.session import Session, storage
from evavos_widget.session.journal import Journal, read_journal
from evavos_widget.session.saved_masks import read_saved_masks
from evavos_widget.session_files import QUESTIONS_FILE
from evavos_widget.testing import Disks, NearestCopy
from evavos_widget.video import Video

N, H, W = 9, 24, 32


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (N, H, W, 3), dtype=np.uint8)


def make(video, path: Path | str | None = None, **options) -> Session:
    return Session(video, path=path, propagator=NearestCopy(), predictor=Disks(), **options)


def again(path: Path, video, **options) -> Session:
    return Session.open(path, video, propagator=NearestCopy(), predictor=Disks(), **options)


def square(x: int, y: int = 8, size: int = 6) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[y : y + size, x : x + size] = True
    return mask


def two_objects(video, path: Path) -> Session:
    session = make(video, path)
    a, b = session.add_object("a"), session.add_object("b")
    session.annotate(0, square(2), objects=[a])
    session.annotate(8, square(20), objects=[b])
    session.propagate()
    return session


def rewrite(path: Path, change) -> None:
    """Let `change` edit the list of a journal's lines."""
    journal = path / "journal.jsonl"
    lines = journal.read_bytes().rstrip(b"\n").split(b"\n")
    change(lines)
    journal.write_bytes(b"\n".join(lines) + b"\n")


def coded(text: bytes) -> bytes:
    return b"%08x %s" % (zlib.crc32(text), text)


class TestPlace:
    def test_stays_where_it_was_opened(self, frames, tmp_path, monkeypatch):
        (tmp_path / "here").mkdir()
        (tmp_path / "there").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        relative = make(frames, "mine")
        default = make(frames, "auto")
        monkeypatch.chdir(tmp_path / "there")
        for session in (relative, default):
            obj = session.add_object()
            session.annotate(0, square(3), objects=[obj])
            session.propagate()
            session.export("numpy")
            session.close()
        assert not list((tmp_path / "there").iterdir())
        assert relative.path == tmp_path / "here/mine"
        again(tmp_path / "here/mine", frames).close()

    @pytest.mark.parametrize("format", ["coco", "davis"])
    def test_what_is_not_kept_replaces_its_own_exports_only(
        self, frames, tmp_path, monkeypatch, format
    ):
        monkeypatch.chdir(tmp_path)
        with make(frames, None) as session:
            written = session.export(format)
            assert written.absolute().parent == tmp_path
            assert session.export(format) == written
        before = written.stat().st_mtime_ns
        with make(frames, None) as another:
            for _ in range(2):
                with pytest.raises(FileExistsError, match="choose another path"):
                    another.export(format)
            assert written.stat().st_mtime_ns == before
            assert another.export(format, overwrite=True) == written
            assert another.export(format) == written

    def test_arrays_do_not_meet(self, frames, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        paths = []
        for video in (frames, frames[:5], frames[:, ::-1].copy(), frames):
            with make(video, "auto") as session:
                session.add_object()
                paths.append(session.path)
        assert len(set(paths[:3])) == 3
        assert paths[3] == paths[0]

    @pytest.mark.parametrize("path", ["auto", "mine"])
    def test_another_video_of_the_name_ends_no_session(self, frames, tmp_path, monkeypatch, path):
        """Of `a/clip` and `b/clip` the second is refused, and the first goes on."""
        monkeypatch.chdir(tmp_path)
        for folder, video in (("a", frames), ("b", 255 - frames)):
            (tmp_path / folder / "clip").mkdir(parents=True)
            for i, frame in enumerate(video):
                Image.fromarray(frame).save(tmp_path / folder / f"clip/{i}.png")
        first = make("a/clip", path)
        obj = first.add_object()
        with pytest.raises(ValueError, match=r"another video \(.*a.clip', .* give another path"):
            make("b/clip", path)
        first.annotate(0, square(0), objects=[obj])
        second = make("a/clip", path)
        assert first.closed
        assert list(second.annotations) == [0]
        second.close()

    @pytest.mark.parametrize("name", ["../../x", "/tmp/outside", "a/b", "..", "nul\x00", "C:\\x"])
    def test_a_name_leads_nowhere(self, frames, tmp_path, monkeypatch, name):
        inner = tmp_path / "a/b/c"
        inner.mkdir(parents=True)
        monkeypatch.chdir(inner)
        with make(Video.open(frames, name=name), "auto") as session:
            obj = session.add_object()
            session.annotate(0, square(3), objects=[obj])
            session.export("davis")
            assert session.path.parent == inner
        assert [p for p in tmp_path.rglob("*") if p.is_file() and inner not in p.parents] == []

    def test_pictures_by_a_pattern_open_again(self, frames, tmp_path):
        for i, frame in enumerate(frames):
            Image.fromarray(frame).save(tmp_path / f"f{i}.png")
        make(str(tmp_path / "*.png"), tmp_path / "s").close()
        again(tmp_path / "s", None).close()

    def test_goes_on_elsewhere_when_its_folder_is_gone(self, frames, tmp_path):
        session = two_objects(frames, tmp_path / "s")
        shutil.rmtree(tmp_path / "s")
        with pytest.raises(OSError, match="save_as"):
            session.annotate(3, square(5), objects=[1])
        assert sorted(session.annotations) == [0, 8]
        session.save_as(tmp_path / "elsewhere")
        session.annotate(3, square(5), objects=[1])
        session.close()
        with again(tmp_path / "elsewhere", frames) as session:
            assert sorted(session.annotations) == [0, 3, 8]

    def test_stays_where_it_was_when_not_all_can_be_copied(self, frames, tmp_path, monkeypatch):
        session = two_objects(frames, tmp_path / "s")
        (tmp_path / "s" / QUESTIONS_FILE).write_text("{}")

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(shutil, "copyfile", full)
            with pytest.raises(OSError, match="No space"):
                session.save_as(tmp_path / "copy")
        assert session.path == tmp_path / "s"
        session.annotate(3, square(5), objects=[1])
        session.close()
        with again(tmp_path / "s", frames) as session:
            assert sorted(session.annotations) == [0, 3, 8]

    def test_who_opens_the_first_folder_leaves_the_one_that_moved_alone(self, frames, tmp_path):
        session = two_objects(frames, tmp_path / "s")
        session.save_as(tmp_path / "copy")
        with again(tmp_path / "s", frames):
            assert not session.closed
        with again(tmp_path / "copy", frames):  # the later one has it, as anywhere
            assert session.closed

    def test_what_may_only_be_looked_at_goes_on_elsewhere(self, frames, tmp_path):
        two_objects(frames, tmp_path / "s").close()
        with again(tmp_path / "s", frames, read_only=True) as session:
            session.save_as(tmp_path / "copy")
            session.annotate(3, square(5), objects=[1])
        with again(tmp_path / "copy", frames) as session:
            assert sorted(session.annotations) == [0, 3, 8]
        with again(tmp_path / "s", frames) as session:
            assert sorted(session.annotations) == [0, 8]

    def test_a_copy_does_not_touch_the_first(self, frames, tmp_path):
        session = two_objects(frames, tmp_path / "s")
        session.save_as(tmp_path / "copy")
        session.annotate(3, square(5), objects=[1])
        with pytest.raises(FileExistsError, match="another path"):
            session.save_as(tmp_path / "s")
        session.close()
        with again(tmp_path / "s", frames) as first:
            assert sorted(first.annotations) == [0, 8]


class TestReplay:
    def test_merge_after_a_pass(self, frames, tmp_path):
        session = two_objects(frames, tmp_path / "s")
        session.merge_objects(2, 1)
        before = {f: a.labels.tolist() for f, a in session.annotations.items()}
        assert {f: len(set(map(tuple, b))) for f, b in before.items()}
        session.close()
        (tmp_path / "s/masks.npz").unlink()
        with again(tmp_path / "s", frames) as session:
            assert {f: a.labels.tolist() for f, a in session.annotations.items()} == before

    @pytest.mark.parametrize("steps", [1, 2, 3])
    def test_undo_and_redo_are_the_same_after_opening(self, frames, tmp_path, steps):
        session = two_objects(frames, tmp_path / "s")
        session.annotate(4, square(12), objects=[1])
        session.propagate()
        session.annotate(6, square(2, 2), objects=[2])
        session.propagate()
        seen = []
        for _ in range(steps):
            session.undo()
            seen.append(session.masks.array())
        for _ in range(steps):
            session.redo()
        session.close()
        with again(tmp_path / "s", frames) as session:
            for masks in seen:
                session.undo()
                assert (session.masks.array() == masks).all()
            for _ in range(steps - 1):
                session.redo()
            assert steps == 1 or (session.masks.array() == seen[0]).all()

    def test_trust_is_kept(self, frames, tmp_path):
        session = make(frames, tmp_path / "s")
        obj = session.add_object()
        mask = session.predict(0, obj, clicks=[(10, 10, True)]).mask
        session.annotate(0, mask, objects=[obj], kind="clicks", clicks=[(10, 10, True)])
        session.annotate(1, square(3), objects=[obj])
        session.annotate(2, square(3), objects=[obj], kind="clicks", trust=0.25)
        session.annotate(3, ~mask, objects=[obj], kind="clicks")  # not what was predicted
        session.mark_absent(4, [obj])
        session.import_masks({5: square(2).astype(np.uint8)})

        def told(s: Session) -> dict:
            return {f: (a.sources[obj].kind, a.trust(obj)) for f, a in s.annotations.items()}

        before = told(session)
        kind, trust = before[0]
        assert (kind, 0.3 < trust < 0.7) == ("clicked", True)  # its score is 0.5
        assert before == {
            0: (kind, trust),
            1: ("drawn", 1.0),
            2: ("clicked", 0.25),
            3: ("clicked", 1.0),
            4: ("absent", 1.0),
            5: ("imported", 1.0),
        }
        session.close()
        with again(tmp_path / "s", frames) as session:
            assert told(session) == before

    def test_how_masks_are_merged_is_kept(self, frames, tmp_path):
        make(frames, tmp_path / "s", merge="nearest", first="clicks").close()
        with Session.open(tmp_path / "s", frames, propagator="flow") as session:
            assert (session.propagator.merge, session.first) == ("nearest", "clicks")
        with Session.open(tmp_path / "s", frames, propagator="flow", merge="trust") as session:
            assert session.propagator.merge == "trust"

    @pytest.mark.parametrize("read_only", [False, True])
    def test_what_annotations_cost_is_kept(self, frames, tmp_path, read_only):
        costs = Costs(mask=12.0, click=9.5)
        make(frames, tmp_path / "s", costs=costs, budget=60).close()
        with again(tmp_path / "s", frames, read_only=read_only) as session:
            assert (session.state.costs, session.state.budget) == (costs, 60)
            session.save_as(tmp_path / "elsewhere")
        with again(tmp_path / "elsewhere", frames) as session:
            assert (session.costs, session.budget) == (costs, 60)
        given = {"costs": Costs(), "budget": None}
        with again(tmp_path / "s", frames, read_only=read_only, **given) as session:
            assert (session.costs, session.budget) == (Costs(), None)

    def test_a_session_that_tells_of_no_costs_has_those_of_the_paper(self, frames, tmp_path):
        make(frames, tmp_path / "s", costs=Costs(mask=12.0)).close()

        def as_before(lines: list[bytes]) -> None:
            header = json.loads(lines[0].partition(b" ")[2])
            del header["costs"], header["budget"]
            lines[0] = coded(json.dumps(header).encode())

        rewrite(tmp_path / "s", as_before)
        with again(tmp_path / "s", frames) as session:
            assert (session.costs, session.budget) == (Costs(), None)

    @pytest.mark.parametrize("trust", [-0.1, 1.5, float("nan")])
    def test_trust_is_a_share(self, frames, trust):
        session = make(frames)
        obj = session.add_object()
        with pytest.raises(ValueError, match="trust"):
            session.annotate(0, square(3), objects=[obj], trust=trust)
        assert not session.annotations


DAMAGES = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "one byte short": lambda data: data[:-1],
    "one byte wrong": lambda data: data[:300] + bytes([data[300] ^ 255]) + data[301:],
    "end lost": lambda data: data[:-30] + bytes(30),
    "another archive": lambda data: b"PK\x05\x06" + bytes(18),
    "folder": None,
}


class TestDamage:
    @pytest.mark.parametrize("which", ["header", "object", "annotation", "undo"])
    @pytest.mark.parametrize("masks", [True, False])
    def test_a_damaged_line_costs_what_is_on_it(self, frames, tmp_path, which, masks):
        session = make(frames, tmp_path / "s")
        obj = session.add_object("horse")
        session.annotate(0, square(2), objects=[obj])
        session.annotate(3, square(4), objects=[obj])
        session.undo()
        session.undo()
        session.redo()
        session.annotate(5, square(6), objects=[obj])
        session.propagate()
        session.close()
        if not masks:
            (tmp_path / "s/masks.npz").unlink()
        number = {"header": 0, "object": 1, "annotation": 2, "undo": 4}[which]

        def damage(lines):
            line = bytearray(lines[number])
            line[len(line) // 2] ^= 1
            lines[number] = bytes(line)

        rewrite(tmp_path / "s", damage)
        with pytest.warns(UserWarning, match=f"line {number + 1} of .* is damaged"):
            opened = again(tmp_path / "s", frames)
        with opened as session:
            # The second undo names what it takes back, so that nothing else is.
            wanted = {"annotation": [5]}.get(which, [0, 5])
            assert sorted(session.annotations) == wanted
            assert [o.id for o in session.objects] == [obj]
            session.annotate(7, square(3), objects=[obj])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with again(tmp_path / "s", frames) as session:
                assert sorted(session.annotations) == [*wanted, 7]

    @pytest.mark.parametrize(
        ("number", "wanted", "first"),
        [(0, [0, 3, 5], 1), (1, [0, 3, 5], 2), (2, [3, 5], 4)],
        ids=["header", "object", "annotation"],
    )
    def test_a_missing_line_costs_what_is_on_it(self, frames, tmp_path, number, wanted, first):
        session = make(frames, tmp_path / "s")
        obj = session.add_object("horse")
        session.annotate(0, square(2), objects=[obj])
        session.annotate(3, square(4), objects=[obj])
        session.undo()  # of a line by its number, so that nothing else is taken back
        session.annotate(5, square(6), objects=[obj])
        session.propagate()
        session.close()
        rewrite(tmp_path / "s", lambda lines: lines.pop(number))
        with pytest.warns(UserWarning, match=f"lines are missing before line {first} of"):
            opened = again(tmp_path / "s", frames)
        with opened as session:
            assert sorted(session.annotations) == wanted
            assert [o.id for o in session.objects] == [obj]
            assert any("line 4 of" in told and "left out" in told for told in session.warnings)
            session.annotate(7, square(3), objects=[obj])
            session.propagate()
            masks = session.masks.array()
        with pytest.warns(UserWarning, match="lines are missing"):
            opened = again(tmp_path / "s", frames)
        with opened as session:
            assert sorted(session.annotations) == [*wanted, 7]
            assert (session.masks.array() == masks).all()

    @pytest.mark.parametrize("missing", [False, True])
    @pytest.mark.parametrize("taken_away", ["undo", "remove"])
    def test_no_two_objects_have_one_number(self, frames, tmp_path, taken_away, missing):
        session = make(frames, tmp_path / "s")
        session.add_object("mistake")
        if taken_away == "remove":
            session.annotate(3, square(9), objects=[1])
            session.remove_object(1)
        else:
            session.undo()
        number = len(session._storage._journal.content().splitlines())
        session._timeline.told_of.clear()  # or numbers without a past come first, all 255
        session.annotate(0, square(2), objects=[session.add_object("cat")])
        session.close()

        def harm(lines):
            lines.pop(number - 1) if missing else lines.__setitem__(number - 1, b"?")

        rewrite(tmp_path / "s", harm)
        with pytest.warns(UserWarning, match=r"object 1 was taken away .* removed there"):
            opened = again(tmp_path / "s", frames)
        with opened as session:
            assert [(o.id, o.name) for o in session.objects] == [(1, "cat")]
            assert sorted(session.annotations) == [0]
            while session.can_undo:
                session.undo()
                assert len(session.objects) <= 1

    def test_what_is_put_off_is_of_an_object_that_is_there(self, frames, tmp_path):
        session = make(frames, tmp_path / "s")
        session.add_object("a")
        session.snooze(4, session.add_object("b"))
        session.snooze(5, 1)
        session.close()
        rewrite(tmp_path / "s", lambda lines: lines.__setitem__(2, b"?"))
        with pytest.warns(UserWarning, match=r"line 4 of .* left out"):
            opened = again(tmp_path / "s", frames)
        with opened as session:
            assert [o.id for o in session.objects] == [1]
            assert session.state.snoozed == {(5, 1)}

    def test_an_object_that_is_lost_is_merged_all_the_same(self, frames, tmp_path):
        session = two_objects(frames, tmp_path / "s")
        session.merge_objects(1, 2)
        session.close()
        rewrite(tmp_path / "s", lambda lines: (lines.pop(1), lines.pop(1), lines.pop(2)))
        with pytest.warns(UserWarning, match="name of object 2 is lost"):
            opened = again(tmp_path / "s", frames)
        with opened as session:
            assert [o.id for o in session.objects] == [2]
            assert (session.masks[0] == square(2) * np.uint8(2)).all()

    def test_a_line_without_its_line_feed_is_whole(self, frames, tmp_path):
        two_objects(frames, tmp_path / "s").close()
        journal = tmp_path / "s/journal.jsonl"
        journal.write_bytes(journal.read_bytes().rstrip(b"\n"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with again(tmp_path / "s", frames) as session:
                assert sorted(session.annotations) == [0, 8]
                session.annotate(4, square(3), objects=[1])
            with again(tmp_path / "s", frames) as session:
                assert sorted(session.annotations) == [0, 4, 8]
        assert not read_journal(journal).damaged

    @pytest.mark.parametrize("damage", sorted(DAMAGES))
    def test_masks_that_cannot_be_read_are_computed_again(self, frames, tmp_path, damage):
        session = two_objects(frames, tmp_path / "s")
        masks = session.masks.array()
        session.close()
        file = tmp_path / "s/masks.npz"
        data = file.read_bytes()
        file.unlink()
        if damage == "folder":
            file.mkdir()
        else:
            file.write_bytes(DAMAGES[damage](data))
        with pytest.warns(UserWarning, match=r"cannot be used .* propagating"):
            opened = again(tmp_path / "s", frames)
        with opened as session:
            assert sorted(session.annotations) == [0, 8]
            session.propagate()
            assert (session.masks.array() == masks).all()

    def test_masks_of_another_history_are_not_taken(self, frames, tmp_path):
        two_objects(frames, tmp_path / "one").close()
        session = make(frames, tmp_path / "two")
        a, b = session.add_object("a"), session.add_object("b")
        session.annotate(0, square(9, 1), objects=[a])  # as many lines, other content
        session.annotate(8, square(20), objects=[b])
        session._storage.close()
        session.close()
        shutil.copy(tmp_path / "one/masks.npz", tmp_path / "two/masks.npz")
        with again(tmp_path / "two", frames) as session:
            assert session.masks.ids(0) == {a}
            assert (session.masks[0] == square(9, 1) * np.uint8(a)).all()
            assert not session.masks.ids(4)

    def test_masks_are_read_when_they_are_looked_at(self, frames, tmp_path):
        two_objects(frames, tmp_path / "s").close()
        saved = read_saved_masks(tmp_path / "s", H, W)
        assert isinstance(saved._runs.base, np.memmap)
        with again(tmp_path / "s", frames) as session:
            runs = session.masks.runs(4)
            assert np.shares_memory(runs, runs.base)
            assert not runs.flags.owndata

    def test_leftovers_of_a_kill_go(self, frames, tmp_path):
        two_objects(frames, tmp_path / "s").close()
        (tmp_path / "s/masks.4711.tmp").write_bytes(b"half")
        (tmp_path / "s/.verification.0123456789ab.new.json").write_bytes(b"half")
        again(tmp_path / "s", frames).close()
        assert not list((tmp_path / "s").glob("*.tmp"))
        assert not list((tmp_path / "s").glob("*.new.json"))

    @pytest.mark.parametrize("format", ["davis", "numpy"])
    def test_an_export_that_is_under_way_stays(self, frames, tmp_path, format):
        two_objects(frames, tmp_path / "s").close()

        def step(done, total):
            if done == 2:
                again(tmp_path / "s", frames).close()

        with again(tmp_path / "s", frames, read_only=True) as seen:
            path = seen.export(format, progress=step)
            masks = import_masks(path, seen.video)
            assert all(np.array_equal(masks[i], seen.masks[i]) for i in range(N))
        assert path.parent == tmp_path / "s"


class TestVersions:
    def test_a_later_journal_is_one_sentence(self, frames, tmp_path):
        two_objects(frames, tmp_path / "s").close()

        def later(lines):
            text = lines[0].partition(b" ")[2].replace(b'"version":2', b'"version":3')
            lines[0] = coded(text)

        rewrite(tmp_path / "s", later)
        before = (tmp_path / "s/journal.jsonl").read_bytes()
        with pytest.raises(ValueError, match=r"later version of evavos-widget.*update"):
            again(tmp_path / "s", frames)
        assert (tmp_path / "s/journal.jsonl").read_bytes() == before

    @pytest.mark.parametrize(
        "line",
        [
            b'{"kind":"rebase"}',
            b'{"kind":"group","undoable":true,"events":[{"kind":"object.split","object":1}]}',
            b'{"kind":"version","version":9}',
            b'{"no kind":1}',
        ],
    )
    def test_an_unknown_event_is_never_taken_for_another(self, frames, tmp_path, line):
        session = two_objects(frames, tmp_path / "s")
        session.undo()
        session.close()
        rewrite(tmp_path / "s", lambda lines: lines.append(coded(line)))
        with pytest.raises(ValueError, match="version"):
            again(tmp_path / "s", frames)
        with FileLock(str(tmp_path / "s/.lock"), timeout=0):
            pass  # nothing stays locked


class TestRefusal:
    def test_full_disk_then_room(self, tmp_path):
        """Writes that a limit on file size cuts short; the space behind the cut is not kept."""
        code = f"""
            import resource, signal, sys
            import numpy as np
            sys.path.insert(0, {str(Path(__file__).parents[1])!r})
            from evavos_widget.testing import Disks, NearestCopy
            from evavos_widget.session import Session
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            rng = np.random.default_rng(0)
            video = np.zeros(({N}, {H}, {W}, 3), np.uint8)
            engines = {{"propagator": NearestCopy(), "predictor": Disks()}}
            s = Session(video, path={str(tmp_path / "s")!r}, **engines)
            o = s.add_object()
            size = (s.path / "journal.jsonl").stat().st_size
            refused = 0
            for round in range(3):
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + 60, resource.RLIM_INFINITY))
                for frame in (1, 2, 3):
                    try:
                        s.annotate(frame, rng.random(({H}, {W})) > 0.5, objects=[o])
                    except OSError:
                        refused += 1
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
                s.annotate(4 + round, rng.random(({H}, {W})) > 0.5, objects=[o])
                size = (s.path / "journal.jsonl").stat().st_size
            assert refused == 9, refused
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        with again(tmp_path / "s", np.zeros((N, H, W, 3), np.uint8)) as session:
            assert sorted(session.annotations) == [4, 5, 6]

    def test_closing_unlocks_whatever_fails(self, frames, tmp_path, monkeypatch):
        session = two_objects(frames, tmp_path / "s")

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("os.replace", full)
        told = []
        session.subscribe(lambda event, payload: told.append(event))
        with pytest.warns(UserWarning, match="every annotation is"):
            session.close()
        assert told == ["warning", "closed"]
        session.close()
        monkeypatch.undo()
        with FileLock(str(tmp_path / "s/.lock"), timeout=0):
            pass
        assert not list((tmp_path / "s").glob("*.tmp"))

    def test_a_refused_pass_is_told_once(self, frames, tmp_path, monkeypatch):
        session = make(frames, tmp_path / "s")
        obj = session.add_object()

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("os.replace", full)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            for frame in range(3):
                session.annotate(frame, square(frame), objects=[obj])
                session.propagate()
        assert len([w for w in told if "could not be saved" in str(w.message)]) == 1
        assert not session.stale
        monkeypatch.undo()
        session.close()

    def test_a_place_that_may_only_be_read(self, frames, tmp_path, monkeypatch):
        two_objects(frames, tmp_path / "s").close()
        acquire = FileLock.acquire

        def refuse(lock, *args, **kwargs):
            if str(tmp_path / "s") in str(lock.lock_file):
                raise OSError(errno.EROFS, "Read-only file system")
            return acquire(lock, *args, **kwargs)

        monkeypatch.setattr(FileLock, "acquire", refuse)
        before = sorted((p.name, p.stat().st_mtime_ns) for p in (tmp_path / "s").iterdir())
        with pytest.warns(UserWarning, match="may only be read"):
            session = again(tmp_path / "s", frames)
        assert session.read_only
        assert sorted(session.annotations) == [0, 8]
        assert session.masks.ids(4) == {1, 2}
        with pytest.raises(PermissionError, match="looked at only"):
            session.annotate(3, square(4), objects=[1])
        assert session.export("numpy", tmp_path / "out.npz").exists()
        session.close()
        assert before == sorted((p.name, p.stat().st_mtime_ns) for p in (tmp_path / "s").iterdir())
        with pytest.raises(OSError, match="path=None"):
            make(frames, tmp_path / "s/new")

    def test_looking_at_a_session_that_is_open(self, frames, tmp_path):
        session = two_objects(frames, tmp_path / "s")
        with again(tmp_path / "s", frames, read_only=True) as seen:
            assert sorted(seen.annotations) == [0, 8]
            assert not session.closed
        session.annotate(3, square(4), objects=[1])
        session.close()


class TestOthersWhoWrite:
    @pytest.mark.parametrize("first_word", [True, False])
    def test_who_wrote_past_the_lock_is_noticed_and_nothing_is_lost(
        self, frames, tmp_path, first_word
    ):
        two_objects(frames, tmp_path / "s").close()
        session = again(tmp_path / "s", frames)
        if not first_word:
            session.annotate(2, square(4), objects=[1])
        (tmp_path / "s/.lock").unlink()  # by a clean-up; then it keeps nobody out
        other = Journal(tmp_path / "s")
        added = {"kind": "object.add", "object": 3, "name": "c"}
        other.append({"kind": "group", "events": [added], "undoable": True})
        other.close()
        with pytest.raises(OSError, match=r"another program has written.*save_as"):
            session.annotate(3, square(5), objects=[1])
        assert 3 not in session.annotations
        session.save_as(tmp_path / "copy")
        with again(tmp_path / "copy", frames) as copy:
            assert [o.name for o in copy.objects] == ["a", "b"]
        with again(tmp_path / "s", frames) as opened:
            assert [o.name for o in opened.objects] == ["a", "b", "c"]
            assert sorted(opened.annotations) == ([0, 8] if first_word else [0, 2, 8])
            opened.annotate(3, square(5), objects=[3])

    def test_who_cut_the_journal_is_noticed(self, frames, tmp_path):
        session = two_objects(frames, tmp_path / "s")
        rewrite(tmp_path / "s", lambda lines: lines.pop())
        for act in (session.undo, lambda: session.save_as(tmp_path / "copy")):
            with pytest.raises(OSError, match="another program has cut"):
                act()
            assert sorted(session.annotations) == [0, 8]
        session.close()
        with again(tmp_path / "s", frames) as opened:
            assert sorted(opened.annotations) == [0]

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
    def test_a_forked_process_changes_nothing(self, tmp_path):
        code = f"""
            import os
            import numpy as np
            from evavos_widget.session import Session
            video = np.zeros(({N}, {H}, {W}, 3), np.uint8)
            engines = {{"propagator": "flow", "predictor": "classical"}}
            s = Session(video, path={str(tmp_path / "s")!r}, **engines)
            s.add_object()
            child = os.fork()
            if not child:
                try:
                    s.add_object()
                except OSError as error:
                    assert "save_as" in str(error)
                    s.close()
                    os._exit(7)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            s.add_object()
            s.close()
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        with again(tmp_path / "s", np.zeros((N, H, W, 3), np.uint8)) as session:
            assert [o.id for o in session.objects] == [1, 2]


class TestMovedAway:
    @pytest.mark.parametrize("by", ["closing", "a pass", "save_as"])
    def test_what_is_at_its_path_by_then_stays_as_it_is(self, frames, tmp_path, by):
        session = two_objects(frames, tmp_path / "s")
        (tmp_path / "s").rename(tmp_path / "away")
        with make(frames, tmp_path / "elsewhere") as other:
            other.annotate(0, square(5, 2), objects=[other.add_object("c")])
            other.propagate()
            masks = other.masks.array()
        (tmp_path / "elsewhere/verification.json").write_text("{}")
        (tmp_path / "elsewhere").rename(tmp_path / "s")
        before = {p.name: p.read_bytes() for p in (tmp_path / "s").iterdir()}
        if by == "save_as":
            session.save_as(tmp_path / "copy")
            assert not (tmp_path / "copy/verification.json").exists()
            session.close()
        else:
            with pytest.warns(UserWarning, match="masks could not be saved.*moved or deleted"):
                session.close() if by == "closing" else session._save_masks()
        assert before == {p.name: p.read_bytes() for p in (tmp_path / "s").iterdir()}
        with again(tmp_path / "s", frames) as other:
            assert (other.masks.array() == masks).all()
        with again(tmp_path / "away", frames) as moved:
            assert sorted(moved.annotations) == [0, 8]
            assert not moved.stale


class TestLooking:
    def test_masks_are_those_of_one_file(self, frames, tmp_path, monkeypatch):
        for name, x in (("s", 2), ("other", 11)):
            with make(frames, tmp_path / name) as session:
                session.annotate(0, square(x), objects=[session.add_object()])
                session.propagate()
        wanted = read_saved_masks(tmp_path / "s", H, W)._runs.copy()
        check = zipfile.ZipFile.testzip

        def meanwhile(archive):
            (tmp_path / "other/masks.npz").replace(tmp_path / "s/masks.npz")
            return check(archive)

        monkeypatch.setattr(zipfile.ZipFile, "testzip", meanwhile)
        found = read_saved_masks(tmp_path / "s", H, W)
        assert not (tmp_path / "other/masks.npz").exists()
        assert np.array_equal(found._runs, wanted)

    @pytest.mark.parametrize("undone", [True, False])
    def test_what_is_seen_is_of_one_moment(self, frames, tmp_path, monkeypatch, undone):
        writer = two_objects(frames, tmp_path / "s")
        read = storage.read_saved_masks

        def meanwhile(*args):
            if undone:
                writer.undo()
            writer.annotate(4, square(11), objects=[1])
            writer.propagate()
            return read(*args)

        monkeypatch.setattr(storage, "read_saved_masks", meanwhile)
        with again(tmp_path / "s", frames, read_only=True) as seen:
            assert sorted(seen.annotations) == sorted(writer.annotations)
            assert not seen.stale
            assert (seen.masks.array() == writer.masks.array()).all()
        writer.close()

    def test_a_change_that_waits_for_its_pass_hides_no_mask(self, frames, tmp_path):
        writer = two_objects(frames, tmp_path / "s")
        writer.annotate(4, square(11), objects=[1])
        with again(tmp_path / "s", frames, read_only=True) as seen:
            assert sorted(seen.annotations) == [0, 4, 8]
            assert seen.stale == writer.stale
            assert (seen.masks.array() == writer.masks.array()).all()
        writer.close()


class TestWords:
    @pytest.mark.parametrize("color", ["rgb(0, 0, 0, 0)", "#12", "blue-ish", 7, None, ["#112233"]])
    def test_a_colour_that_cannot_be_painted(self, frames, color):
        session = make(frames)
        obj = session.add_object()
        before = session.objects
        with pytest.raises(ValueError, match="#rrggbb"):
            session.update_object(obj, color=color)
        assert session.objects == before

    @pytest.mark.parametrize("color", ["#F80", "rgb(255, 136, 0)", "#ff8800"])
    def test_a_colour_in_any_spelling(self, frames, color):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        session.update_object(obj, color=color)
        assert session.objects[0].color == "#ff8800"
        session.snapshot(0)

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": {"a": 1}},
            {"name": "x" * 10_000},
            {"name": " "},
            {"visible": "no"},
            {"locked": 1},
            {"locked": None},
        ],
    )
    def test_what_no_object_can_be(self, frames, tmp_path, changes):
        session = make(frames, tmp_path / "s")
        obj = session.add_object()
        size = (tmp_path / "s/journal.jsonl").stat().st_size
        with pytest.raises(ValueError, match="give") as error:
            session.update_object(obj, **changes)
        assert len(str(error.value)) < 300
        assert (tmp_path / "s/journal.jsonl").stat().st_size == size
        session.close()

    def test_numbers_of_numpy_are_numbers(self, frames, tmp_path):
        session = make(frames, tmp_path / "s")
        a, b = np.int64(session.add_object()), np.uint8(session.add_object())
        labels = square(3).astype(np.uint8) + 2 * square(20)
        session.annotate(np.int32(0), labels, objects=np.unique(labels)[1:])
        session.mark_absent(np.uint16(3), np.array([1, 2]))
        session.accept(np.int64(0), {a})
        session.snooze(np.int64(2), a)
        session.import_masks({np.int64(5): labels}, objects=np.array([a, b]))
        session.update_object(a, locked=np.bool_(False), name="x")
        session.label_points(np.int64(0), a, [(np.int64(3), np.uint8(4), "positive")])
        session.remove_annotation(np.int64(5), b)
        session.merge_objects(b, a)
        before = sorted(session.annotations)
        session.close()
        with again(tmp_path / "s", frames) as session:
            assert sorted(session.annotations) == before

    def test_import_touches_the_objects_named_only(self, frames):
        session = make(frames)
        a, b = session.add_object(), session.add_object()
        session.annotate(0, square(3).astype(np.uint8) + 2 * square(20))
        session.update_object(b, locked=True)
        held = session.masks[0] == b
        session.import_masks(
            {0: square(18).astype(np.uint8) + 2 * square(2) + 7 * square(2, 17)}, objects=[a]
        )
        assert session.masks.ids() == {a, b}
        assert ((session.masks[0] == b) == held).all()
        assert [o.id for o in session.objects] == [a, b]

    def test_masks_without_an_object_are_asked_about(self, frames):
        session = make(frames)
        with pytest.raises(ValueError, match=r"objects=\[\.\.\.\]"):
            session.import_masks({0: np.zeros((H, W), np.uint8)})
        assert not session.annotations


class TestOpeningAgain:
    @pytest.mark.parametrize("steps", [1, 2])
    def test_undo_after_it_changes_the_number_of_every_mask_that_changes(
        self, frames, tmp_path, steps
    ):
        with make(frames, tmp_path / "s") as session:
            obj = session.add_object()
            for frame, x in ((0, 2), (4, 12), (8, 22)):
                session.annotate(frame, square(x), objects=[obj])
                session.propagate()
        with again(tmp_path / "s", frames) as session:
            before, numbers = session.masks, session.revisions
            for _ in range(steps):
                session.undo()
            after = zip(numbers, session.revisions, strict=True)
            for frame, (old, new) in enumerate(after):
                same = np.array_equal(before[frame], session.masks[frame])
                assert (old == new) == same
            session.redo()
            assert len({*numbers, session.revision}) == len({*numbers}) + 1


class TestGoingOnElsewhere:
    def test_who_looked_goes_on_from_what_was_there_then(self, frames, tmp_path):
        writer = two_objects(frames, tmp_path / "s")
        reader = again(tmp_path / "s", frames, read_only=True)
        writer.remove_object(1)
        reader.save_as(tmp_path / "t")
        reader.annotate(2, square(4), objects=[1])
        reader.close()
        writer.close()
        with again(tmp_path / "t", frames) as session:
            assert [o.id for o in session.objects] == [1, 2]
            assert sorted(session.annotations) == [0, 2, 8]
        with again(tmp_path / "s", frames) as session:
            assert [o.id for o in session.objects] == [2]

    def test_a_copy_that_failed_is_not_taken_for_a_session(self, frames, tmp_path, monkeypatch):
        session = two_objects(frames, tmp_path / "s")
        with monkeypatch.context() as full:

            def refuse(journal, content):
                journal._file.write(content[: len(content) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

            full.setattr("evavos_widget.session.journal.Journal.fill", refuse)
            with pytest.raises(OSError, match="No space"):
                session.save_as(tmp_path / "t")
        session.annotate(3, square(5), objects=[1])
        session.save_as(tmp_path / "t")
        session.close()
        with again(tmp_path / "t", frames) as session:
            assert sorted(session.annotations) == [0, 3, 8]
