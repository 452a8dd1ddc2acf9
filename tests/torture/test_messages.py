"""Malformed and out-of-order messages to the annotator: an answer for each, and no harm."""

from __future__ import annotations

import copy
import faulthandler
import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import islice, permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from acts import MOST_OBJECTS, open_session
from model import HEIGHT, N_FRAMES, WIDTH, Model, Said, pictures, square

from evavos_widget.masks import encode_runs
from evavos_widget.points import LABELS
from evavos_widget.session import Session
from evavos_widget.widgets.annotator_controller import AnnotatorController
from evavos_widget.widgets.requests import LONGEST_SENTENCE

MESSAGES = int(os.environ.get("EVAVOS_MESSAGES", "1500"))
"""How many are sent; ``make torture`` sends 100,000."""

SEED = int(os.environ.get("EVAVOS_SEED", "1"))

AT_ONCE = 20
"""Messages between two looks at the session."""

PATIENCE = 300.0
"""Seconds for the answers to that many; a machine that does much else needs some."""

MOST_PASTS = 16
"""How many histories that lead to the same state are followed at a time."""

CHANGES = (
    "mask.commit",
    "object.add",
    "object.update",
    "object.remove",
    "object.merge",
    "annotation.remove",
    "history.undo",
    "history.redo",
    "suggestion.snooze",
    "point.label",
)


class Wire:
    """A page that takes every answer, whatever it asked."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self.changed = threading.Condition()
        self.controller: AnnotatorController

    def take(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        if "push" in content:
            if content["kind"] == "log":
                self.lines.append(content["message"])
            ack = {"v": 1, "kind": "ack", "view": content["view"], "push": content["push"]}
            self.controller.host.handle(ack, [])
            return
        with self.changed:
            self.answers.append(content)
            self.changed.notify_all()

    def ask(self, messages: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
        """Send them all, and wait for one answer to each but to what acknowledges."""
        self.answers = []
        for message, buffers in messages:
            self.controller.host.handle(message, buffers)
        expected = len(messages) - sum(is_acknowledgement(m) for m, _ in messages)
        with self.changed:
            done = self.changed.wait_for(lambda: len(self.answers) >= expected, PATIENCE)
            if not done:
                faulthandler.dump_traceback(all_threads=True)
            there = {answer["id"] for answer in self.answers}
            missing = [m for m, _ in messages if message_id(m) not in there]
            assert done, f"{len(self.answers)} of {expected} answers; none to {missing}"[:20_000]
            assert len(self.answers) == expected
            return list(self.answers)


def is_acknowledgement(message: Any) -> bool:
    """One that is taken has no answer; a wrong one is told so."""
    return (
        isinstance(message, dict)
        and message.get("kind") == "ack"
        and message.get("v", 1) in (1, None)
        and type(message.get("v", 1)) in (int, type(None))
        and (message.get("id") is None or is_text(message["id"]))
        and is_text(message.get("view"))
        and isinstance(message.get("push"), int)
        and not isinstance(message.get("push"), bool)
        and abs(message["push"]) < 2**53
    )


def is_text(value: Any) -> bool:
    plain = isinstance(value, str) and len(value) <= 4096
    return plain and all(c in "\t\n" or (c >= " " and c != "\x7f") for c in value) and ok(value)


def ok(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


def nested(depth: int, kind: type) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


class Sender:
    """Makes messages: right ones, and what becomes of them."""

    def __init__(self, chance: random.Random, folder: Path) -> None:
        self.chance = chance
        self.folder = folder
        self.sent = 0
        self.ids: list[str] = ["view:0"]

    def batch(self, model: Model) -> list[tuple[Any, Any]]:
        """Some to send at once; what a merge takes in is looked up after it, so it is the last."""
        messages: list[tuple[Any, Any]] = []
        twice = 0  # few share an id, or there would be many ways in which they may be answered
        while len(messages) < AT_ONCE:
            message, buffers = self.message(model)
            before = [message_id(m) for m, _ in messages].count(message_id(message))
            if message_id(message) is not None and before:
                if before > 1 or twice > 2:
                    continue
                twice += 1
            messages.append((message, buffers))
            if is_change(message) and message["kind"] == "object.merge":
                break
        return messages

    def message(self, model: Model) -> tuple[Any, Any]:
        right = self.right(model)
        return right if self.chance.random() < 0.4 else self.spoiled(*right)

    def right(self, model: Model) -> tuple[Any, Any]:
        chance = self.chance
        objects = sorted(model.now.names) or [1]
        frame, obj = chance.randrange(N_FRAMES), chance.choice(objects)
        other = chance.choice(objects)
        size = chance.randrange(0, 14)
        mask = square(chance.randrange(WIDTH - size), chance.randrange(HEIGHT - size), size)
        click = [chance.randrange(WIDTH), chance.randrange(HEIGHT), chance.randrange(2)]
        view = chance.choice(["view", "other"])
        choices: dict[str, dict[str, Any]] = {
            "hello": {"view": view},
            "bye": {"view": view},
            "ack": {"view": view, "push": chance.randrange(50)},
            "cancel": {"target": chance.choice(self.ids)},
            "frame.get": {"frame": frame, **chance.choice([{}, {"width": 20}, {"quick": True}])},
            "mask.get": {"frames": [frame, 0]},
            "mask.commit": {
                "frame": frame,
                "object": obj,
                "annotation_type": "mask" if size else chance.choice(["mask", "absent"]),
                "seconds": 1.5,
                "clicks": [click],
                "propagate": chance.random() < 0.3,
                **chance.choice([{}, {"others": "ask"}, {"others": "take"}, {"others": "take"}]),
            },
            "object.add": {"name": f"name {chance.randrange(99)}"},
            "object.update": {"object": obj, "name": "other", "visible": chance.random() < 0.5},
            "object.remove": {"object": obj},
            "object.merge": {"object": obj, "into": other},
            "annotation.remove": {"frame": frame, "object": obj},
            "history.undo": {},
            "history.redo": {},
            "suggestion.snooze": {"frame": frame, "object": obj},
            "points.propose": {"frame": frame, "object": obj},
            "point.label": {
                "frame": frame,
                "object": obj,
                "x": click[0],
                "y": click[1],
                "region": click[2],
                "label": chance.choice(["positive", "negative", "unknown"]),
                "seconds": 0.9,
            },
            "prompt.preview": {"frame": frame, "object": obj, "clicks": [click] * 3},
            "export.run": {"format": "numpy", "path": str(self.folder / f"{self.sent}.npy")},
            "job.start": {"job": "propagate"},
            "job.pause": {},
            "job.resume": {},
            "job.cancel": {},
        }
        often = ["mask.commit", "prompt.preview", "object.add", "history.undo", "history.redo"]
        rare = {"export.run": 0.03, "object.remove": 0.3, "object.merge": 0.3, "hello": 0.3}
        kinds = [*choices, *often, "mask.commit", "mask.commit"]
        if len(model.now.names) >= MOST_OBJECTS:
            kinds = [k for k in kinds if k != "object.add"]
        kind = chance.choices(kinds, [rare.get(k, 1) for k in kinds])[0]
        self.sent += 1
        name = f"{view}:{self.sent}"
        self.ids = [*self.ids[-10:], name]
        buffers = [encode_runs(mask.astype(np.uint8)).astype("<u4").tobytes()]
        message = {"v": 1, "id": name, "kind": kind, **copy.deepcopy(choices[kind])}
        return message, buffers if kind == "mask.commit" else []

    def spoiled(self, message: dict[str, Any], buffers: Any) -> tuple[Any, Any]:
        chance = self.chance
        how = chance.randrange(9)
        if how < 4:
            fields = [f for f in message if f not in ("kind", "id", "v")] or ["id"]
            message[chance.choice(fields)] = self.junk()
        elif how == 4:
            del message[chance.choice(list(message))]
        elif how == 5:
            message[chance.choice(["v", "id", "kind", "more"])] = self.junk()
        elif how == 6:
            message["id"] = chance.choice(self.ids)
        elif how == 7:
            buffers = chance.choice(
                [None, [], [b""], [b"abc"], [bytes(400)], [b"\xff" * 400], buffers * 2]
            )
        else:
            return chance.choice([self.junk(), message]), buffers
        return message, buffers

    def junk(self) -> Any:
        """Anything that JSON, or Python on the way, may make of a field."""
        chance = self.chance
        values = [
            None, True, False, 0, -1, 1, 3, 255, 256, 2**31, 2**53, 2**64, -(2**63), 10**400,
            10**5000, 0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"), float("-inf"),
            "", " ", "0", "mask", "absent", "null", "<img src=x onerror=alert(1)>", "\x00", "\n",
            "\ud800", "é" * 50, "a" * 5000, "x" * 200, "__proto__", [], {}, [[]], [None], [1, 2],
            [1, 2, 3], [[1, 2, 1]], [[1e400, 2, 1]], [[10**400, 0, 1]], [[1, 2, "1"]],
            [0, N_FRAMES], [N_FRAMES - 1, 0], [0, 1, 0, 1], [5, 5, 5, 5], [9, 9, 1, 1],
            {"points": [[1, 2]], "positive": True}, [{"points": [], "positive": True}],
            [{"points": [[1, 2], [9, 9]], "positive": True}], {"a": {"b": [1]}},
        ]  # fmt: skip
        if chance.random() < 0.05:
            return chance.choice(
                [
                    nested(600, list),
                    nested(5000, list),
                    nested(5000, dict),
                    "b" * 1_000_000,
                    [0] * 200_000,
                    [[1, 2, 1]] * 2000,
                ]
            )
        return copy.deepcopy(chance.choice(values))


def follow(model: Model, message: dict[str, Any], buffers: Any, reply: dict[str, Any]) -> None:
    """What a request that was granted has changed."""
    kind, frame, obj = message["kind"], message.get("frame", -1), message.get("object", -1)
    if kind == "mask.commit":
        if not reply["saved"]:  # it would have taken pixels from others, and asks first
            return
        mask = np.frombuffer(buffers[0], "<u4")
        assert int((mask & 0xFFFFFF).sum(dtype=np.int64)) == HEIGHT * WIDTH
        labels = np.repeat(mask >> 24, mask & 0xFFFFFF).reshape(HEIGHT, WIDTH)
        model.change("annotate", frame, (labels > 0).astype(np.uint8) * obj, [obj])
    elif kind == "object.add":
        new, name = reply["object"], message.get("name")
        model.change("add", new, f"object {new}" if name is None else name)
    elif kind == "object.update":
        name = message.get("name")
        model.change("add", obj, model.now.names[obj] if name is None else name)
    elif kind == "object.remove":
        model.change("remove", obj)
    elif kind == "annotation.remove":
        model.change("take_back", frame, obj)
    elif kind == "point.label":
        assert message["label"] in LABELS
        model.change("label", frame, obj, [(message["x"], message["y"], message["label"])])
    elif kind == "suggestion.snooze":
        model.changes([])
    elif kind in ("history.undo", "history.redo"):
        assert (reply["label"] is None) == (not getattr(model, kind[8:]))
        model.step(kind[8:])


def message_id(message: Any) -> Any:
    """What its answer is called."""
    named = message.get("id") if isinstance(message, dict) else None
    return named if is_text(named) else None


Granted = list[tuple[dict[str, Any], Any, dict[str, Any]]]
"""Changes with their buffers and answers, in order."""


def grants(
    batch: list[tuple[Any, Any]], told: dict[Any, list[dict[str, Any]]]
) -> Iterator[Granted]:
    """What may have been granted: of requests that share an id, any as many as were."""
    by_id: dict[Any, list[int]] = {}
    for n, (message, _) in enumerate(batch):
        if message_id(message) is not None and not is_acknowledgement(message):
            by_id.setdefault(message_id(message), []).append(n)
    ways = []
    for name, places in by_id.items():
        if not any(is_change(batch[n][0]) for n in places):
            continue
        good = [answer for answer in told[name] if answer["ok"]]
        ways.append([list(zip(p, good, strict=True)) for p in permutations(places, len(good))])
    for way in product(*ways):
        pairs = sorted((pair for chosen in way for pair in chosen), key=lambda pair: pair[0])
        yield [(*batch[n], reply) for n, reply in pairs if is_change(batch[n][0])]


def is_change(message: Any) -> bool:
    return isinstance(message, dict) and message.get("kind") in CHANGES


def followed(model: Model, granted: Granted, session: Session) -> bool:
    """Do what was granted to the model; False where it cannot have been."""
    try:
        for message, buffers, reply in granted:
            if message["kind"] == "object.merge":
                # What it took from masks of a pass can only be seen here.
                model.change("merge", message["object"], message["into"], Said.of(session).k)
            else:
                follow(model, message, buffers, reply)
    except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError):
        return False
    return True


def how_it_differs(
    model: Model, session: Session, batch: list[tuple[Any, Any]], told: dict[Any, Any]
) -> str:
    """For whoever has to find out."""
    there = Said.of(session)
    said = f"undo {session.can_undo}, redo {session.can_redo}, {there.names}, {spoken(there)}"
    for granted in islice(grants(batch, told), 5):
        after = model.copy()
        done = followed(after, granted, session)
        asked = [{**m, "clicks": 0} for m, _, _ in granted]
        said += f"\n{asked}, {done}: {len(after.undo)}, {len(after.redo)}, "
        said += f"{after.now.names}, {spoken(after.now)}"
    return said


def spoken(said: Said) -> dict[int, list[int]]:
    return {frame: sorted(objects) for frame, (_, objects) in said.k.items()}


@pytest.fixture
def wired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Session, Wire]]:
    inner = tmp_path / "a/b/c/d"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)  # a path that leads up ends here as well
    wire = Wire()
    with open_session(pictures(), tmp_path / "s") as session:
        wire.controller = AnnotatorController(session, wire.take)
        yield session, wire
        wire.controller.close()


def test_every_message_is_answered_and_the_session_is_what_was_granted(wired, tmp_path: Path):
    session, wire = wired
    chance = random.Random(SEED)
    sender, models = Sender(chance, tmp_path), [Model()]
    codes: Counter[str] = Counter()
    while sender.sent < MESSAGES:
        batch = sender.batch(models[0])
        answers = wire.ask(batch)
        told: dict[Any, list[dict[str, Any]]] = {}
        for answer in answers:
            told.setdefault(answer["id"], []).append(answer)
            if answer["ok"]:
                codes["granted"] += 1
                continue
            said = answer["error"]["message"]
            codes[answer["error"]["code"]] += 1
            assert said, answer
            assert "\n" not in said, said
            assert len(said) <= LONGEST_SENTENCE, said
        assert not [a for a in answers if not a["ok"] and a["error"]["code"] == "failed"]
        # Who shares an id is not told apart by the answer, so there may be several pasts.
        before, models = models, []
        for past, granted in product(before, list(grants(batch, told))):
            after = past.copy()
            if followed(after, granted, session) and after.is_of(session):
                models.append(after)
        assert models, how_it_differs(before[0], session, batch, told)
        del models[MOST_PASTS:]
    assert max(map(len, wire.lines)) <= LONGEST_SENTENCE + 40
    [hello] = wire.ask([({"v": 1, "id": "view:end", "kind": "hello", "view": "view"}, [])])
    assert [o["id"] for o in hello["state"]["objects"]] == sorted(models[0].now.names)
    print(f"\n{sender.sent} messages, seed {SEED}: {dict(codes)}")
    wire.controller.close()
    session.close()
    with open_session(pictures(), tmp_path / "s") as again:
        assert models[0].is_of(again)
