"""What somebody does in a session, by chance; done to a session and to its model alike."""

from __future__ import annotations

import base64
import json
import random
import zlib
from collections.abc import Generator
from typing import Any, cast

import numpy as np
from model import HEIGHT, N_FRAMES, WIDTH, Model, Said, square

from evavos_widget.loop import PropagationStep
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy

Act = dict[str, Any]
"""JSON values, so that it can be written down before and after it is done."""

MOST_OBJECTS = 6


def open_session(frames: np.ndarray, folder: Any) -> Session:
    return Session(frames, path=folder, propagator=NearestCopy(), predictor=Disks())


def choose(chance: random.Random, model: Model) -> Act:
    """Something that can be done now."""
    said = model.now
    objects = sorted(said.names)
    spoken = [(f, o) for f, (_, ids) in sorted(said.k.items()) for o in sorted(ids)]
    possible: list[tuple[int, str]] = [(2, "undo"), (2, "redo"), (1, "import")]
    possible += [(2 if len(objects) < 3 else 1, "add")] if len(objects) < MOST_OBJECTS else []
    possible += [(8, "annotate"), (1, "absent"), (2, "label"), (1, "rename")] if objects else []
    possible += [(1, "merge")] if len(objects) > 1 else []
    possible += [(1, "take_back")] if spoken else []
    possible += [(1, "unlabel")] if said.points else []
    possible += [(2, "pass")] if said.k else []
    what = chance.choices([name for _, name in possible], [weight for weight, _ in possible])[0]
    act: Act = {"do": what, "frame": chance.randrange(N_FRAMES)}
    if what in ("annotate", "absent", "label", "rename"):
        act["object"] = chance.choice(objects)
    if what in ("annotate", "import"):
        size = chance.randrange(2, 14)
        act |= {"x": chance.randrange(WIDTH - size), "y": chance.randrange(HEIGHT - size)}
        act["size"] = size
    if what == "import":
        act["object"] = chance.randrange(1, MOST_OBJECTS + 1)
        act["frames"] = sorted(chance.sample(range(N_FRAMES), 3))
    elif what == "label":
        labels = ("positive", "negative", "unknown")
        pixels = {(chance.randrange(WIDTH), chance.randrange(HEIGHT)) for _ in range(4)}
        act["points"] = [[x, y, chance.choice(labels)] for x, y in sorted(pixels)]
    elif what == "merge":
        act["object"], act["into"] = chance.sample(objects, 2)
    elif what == "take_back":
        act["frame"], act["object"] = chance.choice(spoken)
    elif what == "unlabel":
        act["frame"], act["object"] = chance.choice(sorted(said.points))
    elif what == "rename":
        act["name"] = f"name {chance.randrange(1000)}"
    elif what == "pass":
        act["steps"] = chance.choice([1, 3, N_FRAMES])
    return act


def do(session: Session, act: Act) -> Act:
    """Do it to a session; returns what has to be known of the outcome."""
    what, frame, obj = act["do"], act["frame"], act.get("object", 0)
    if what in ("undo", "redo"):
        getattr(session, what)()
    elif what == "add":
        session.add_object()
    elif what == "rename":
        session.update_object(obj, name=act["name"])
    elif what == "annotate":
        mask = square(act["x"], act["y"], act["size"])
        session.annotate(frame, mask, objects=[obj], seconds=1.0)
    elif what == "absent":
        session.mark_absent(frame, [obj])
    elif what == "import":
        labels = square(act["x"], act["y"], act["size"]).astype(np.uint8) * obj
        session.import_masks({f: labels for f in act["frames"]}, ids="values")
    elif what == "label":
        session.label_points(frame, obj, [tuple(p) for p in act["points"]])
    elif what == "unlabel":
        session.remove_points(frame, obj)
    elif what == "take_back":
        session.remove_annotation(frame, obj)
    elif what == "merge":
        session.merge_objects(obj, act["into"])
        return {"k": packed(session)}
    else:
        steps = cast("Generator[PropagationStep]", session.propagation())
        for _ in zip(range(act["steps"]), steps, strict=False):
            pass
        steps.close()
    return {}


def follow(model: Model, act: Act, outcome: Act) -> None:
    """Do it to the model."""
    what, frame, obj = act["do"], act["frame"], act.get("object", 0)
    if what in ("undo", "redo"):
        model.step(what)
    elif what == "add":
        # An id of which something was said is not given to another object.
        new = max({*model.now.names, *model.told}, default=0) + 1
        model.change("add", new, f"object {new}")
    elif what == "rename":
        model.change("add", obj, act["name"])
    elif what in ("annotate", "absent"):
        drawn = square(act["x"], act["y"], act["size"]) if what == "annotate" else np.zeros(1)
        labels = np.broadcast_to(drawn * obj, (HEIGHT, WIDTH)).astype(np.uint8)
        model.change("annotate", frame, labels, [obj])
    elif what == "import":
        labels = square(act["x"], act["y"], act["size"]).astype(np.uint8) * obj
        new = [] if obj in model.now.names else [("add", obj, f"object {obj}")]
        model.changes([*new, *(("annotate", f, labels, [obj]) for f in act["frames"])])
    elif what == "label":
        model.change("label", frame, obj, act["points"])
    elif what == "unlabel":
        model.change("unlabel", frame, obj)
    elif what == "take_back":
        model.change("take_back", frame, obj)
    elif what == "merge":
        model.change("merge", obj, act["into"], unpacked(outcome["k"]))


def packed(session: Session) -> dict[str, list[Any]]:
    """K as JSON values."""
    return {
        str(frame): [
            base64.b64encode(zlib.compress(labels.tobytes())).decode(),
            sorted(spoken),
        ]
        for frame, (labels, spoken) in Said.of(session).k.items()
    }


def unpacked(k: dict[str, list[Any]]) -> dict[int, tuple[np.ndarray, frozenset[int]]]:
    """The inverse of `packed`."""
    return {
        int(frame): (
            np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(HEIGHT, WIDTH),
            frozenset(spoken),
        )
        for frame, (text, spoken) in k.items()
    }


def read_log(lines: list[str]) -> tuple[Model, Act | None]:
    """The model after what was acknowledged, and what was begun and not acknowledged."""
    model, begun = Model(), None
    for line in map(json.loads, lines):
        if "begin" in line:
            begun = line["begin"]
        else:
            if "done" in line:
                follow(model, line["done"], line["outcome"])
            begun = None
    return model, begun
