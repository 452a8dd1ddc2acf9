"""Point-VOS from end to end on sequences with ground truth: what a robot's points cost and say.

A rough localisation -> the predictor's pseudo-mask -> the propagator, both ways -> candidates ->
verified points in a session -> the released format (Point-VOS Sec. 3.2, Fig. 4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import cv2
import numpy as np

from evavos_widget import engines
from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.evaluation.rows import MADE, EngineOption, Rows
from evavos_widget.evaluation.sequences import Report, all_masks, ids_of
from evavos_widget.loop import PointSelector
from evavos_widget.point_selection.proposals import localise, propagated_probabilities
from evavos_widget.point_selection.sampling import FRAMES, spaced_frames
from evavos_widget.points import REGIONS, Candidate
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.robot.hand import Hand
from evavos_widget.robot.verifier import BORDER, Verifier
from evavos_widget.session import Session

__all__ = ["FOUND_AFTER", "LOCALISATIONS", "Chain", "evaluate_points", "verified_points"]

LOCALISATIONS = ("clicks", "box", "scribble", "mask")
"""What the robot can localise an object with, from the truth of one frame."""

FOUND_AFTER = (10, 20, 50)
"""After so many answers, and after all, it is counted how much of what is wrong they are on."""


@dataclass(frozen=True, eq=False)
class Chain:
    """What the chain did for one object.

    Parameters
    ----------
    candidates : list of Candidate
        In the order in which they were asked.
    probabilities : mapping of frame -> (H, W) float32 array
        That they were chosen from.
    localisation_seconds, seconds : float
        What the localisation and the answers cost.
    """

    candidates: list[Candidate]
    probabilities: Mapping[int, np.ndarray]
    localisation_seconds: float
    seconds: float


def verified_points(
    session: Session,
    obj: int,
    truth: Mapping[int, np.ndarray],
    verifier: Verifier,
    *,
    localisation: str = "clicks",
    selector: str | PointSelector = "random",
    frames: int = FRAMES,
) -> Chain:
    """Localise an object on the first frame that shows it, propose points, verify them.

    Parameters
    ----------
    session : Session
        Gets the pseudo-mask as an annotation, and the points.
    obj : int
    truth : mapping of frame -> (H, W) uint8 label map
    verifier : Verifier
    localisation : str
        One of `LOCALISATIONS`.
    selector : str or PointSelector
    frames : int
        Points are on so many evenly spaced frames of those with truth.

    Returns
    -------
    Chain

    Raises
    ------
    ValueError
        The truth never shows the object, or there is no such localisation.
    """
    if localisation not in LOCALISATIONS:
        raise ValueError(
            f"unknown localisation {localisation!r}; choose from {list(LOCALISATIONS)}."
        )
    frame = next((f for f in sorted(truth) if (truth[f] == obj).any()), None)
    if frame is None:
        raise ValueError(f"no frame shows object {obj}; leave it out.")
    inside, before = truth[frame] == obj, session.seconds
    given: dict[str, Any]
    if localisation == "clicks":
        given = {"clicks": RobotAnnotator(truth).click(session, frame, obj)[1]}
    elif localisation == "box":
        given = {"box": Hand().box(inside)}
    elif localisation == "scribble":
        given = {"scribbles": [Hand().scribble(inside, True)]}
    else:
        given = {"mask": inside}
    localise(session, frame, obj, **given)
    located = session.seconds
    engine: PointSelector = engines.create("point_selector", selector)
    known = sorted(truth)
    chosen = [known[i] for i in spaced_frames(len(known), frames)]
    soft = propagated_probabilities(session, obj, chosen)
    candidates = engine.select(session.video, soft)
    verifier.answer(session, obj, candidates)
    return Chain(candidates, soft, located - before, session.seconds - located)


def evaluate_points(
    root: Path,
    names: Sequence[str],
    *,
    propagator: str = "flow",
    predictor: str = "classical",
    localisation: str = "clicks",
    selector: str = "random",
    error_rate: float = 0.0,
    border: float = BORDER,
    seed: int = 0,
    export: Path | None = None,
    rows: Rows | None = None,
    report: Report = print,
) -> dict[str, Any]:
    """The whole chain on sequences, with the robot at the keys.

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages`` and ``Annotations``.
    names : sequence of str
    propagator, predictor, selector : str
        The engines.
    localisation : str
        One of `LOCALISATIONS`.
    error_rate, border, seed
        Of the robot, see `Verifier`.
    export : Path, optional
        Folder for a file of points of each sequence, in the released format.
    rows : Rows, optional
        What was measured before, and where it is kept. With them `export` is a new folder, or that
        of the run that was stopped.
    report : callable
        Told one line per sequence.

    Returns
    -------
    dict
        Means over objects: ``points``, ``localisation_seconds``, ``seconds``, and
        ``masks_over_points``, how often the seconds of a mask on every frame contain those of
        the points, of objects that have some, else None. ``regions``, over all points:
        ``points``, ``inside`` (share that is of the object in truth), ``ambiguous`` (share),
        ``label_accuracy`` (share of the other answers that are true). ``found``: by number of
        answers, the mean share of the wrong pixels of the pseudo-masks that are in a connected
        piece with an answer. ``sequences``: the first four by name; and the options.
    """

    def measure(name: str) -> dict[str, Any]:
        """Of each object of a sequence what its points cost, are and find."""
        sequence = open_sequence(root, name)
        truth = all_masks(sequence.ground_truth, name)
        ids = ids_of(truth)
        session = _session(sequence, ids, propagator, predictor)
        verifier = Verifier(truth, error_rate=error_rate, border=border, seed=seed)
        objects = {}
        for obj in ids:
            # A selector is not told the object, whose chance is to be its own.
            own = [seed, crc32(name.encode(errors="replace")), obj]
            chance = int(np.random.SeedSequence(own).generate_state(1)[0])
            named = f"random:{chance}" if selector == "random" else selector
            chain = verified_points(
                session, obj, truth, verifier, localisation=localisation, selector=named
            )
            n, masks = len(chain.candidates), session.costs.mask * session.video.n_frames
            objects[obj] = {
                "costs": {
                    "points": n,
                    "localisation_seconds": chain.localisation_seconds,
                    "seconds": chain.seconds,
                    "masks_over_points": masks / chain.seconds if chain.seconds else None,
                },
                "regions": _counts(session, obj, truth),
                "found": _found(chain, truth, obj, chance),
            }
        made = []
        if export is not None:
            export.mkdir(parents=True, exist_ok=True)
            made.append(str(session.export("pointvos", export / name, overwrite=True).resolve()))
        session.close()
        sequence.video.close()
        return {"objects": objects, MADE: made}

    options = {
        "what": "points",
        "propagator": EngineOption("propagator", propagator),
        "predictor": EngineOption("predictor", predictor),
        "localisation": localisation,
        "selector": EngineOption("point_selector", selector),
        "error_rate": error_rate,
        "border": border,
        "seed": seed,
        "export": export and str(export.resolve()),
    }
    kept = Rows() if rows is None else rows
    if export is not None and rows is not None:
        _check_own(export, [kept.found(options, root, name) for name in names])
    costs: dict[str, dict[str, float | None]] = {}
    counts = {region: Counter[str]() for region in REGIONS}
    found: list[dict[str, float]] = []
    for name in names:
        row = kept.measured(options, root, name, partial(measure, name))
        for obj, of in row["objects"].items():
            costs[f"{name} {obj}"] = of["costs"]
            found.append(of["found"])
            for region, count in of["regions"].items():
                counts[region].update(count)
            n, seconds = of["costs"]["points"], of["costs"]["seconds"]
            report(f"{name:20s} object {obj}: {n} points, {seconds:.0f} s")
    means = {}
    for measured in next(iter(costs.values())):
        values = [v for row in costs.values() if (v := row[measured]) is not None]
        means[measured] = float(np.mean(values)) if values else None
    return {
        "propagator": propagator,
        "predictor": predictor,
        "localisation": localisation,
        "selector": selector,
        "error_rate": error_rate,
        "border": border,
        "seed": seed,
        **means,
        "regions": {region: _shares(c) for region, c in counts.items()},
        "found": {k: float(np.mean([f[k] for f in found])) for k in found[0]},
        "sequences": costs,
    }


def _check_own(folder: Path, rows: Sequence[Mapping[str, Any] | None]) -> None:
    """Raise FileExistsError where a folder holds what a run that was stopped did not make."""
    made = {Path(path) for row in rows if row is not None for path in row[MADE]}
    others = sorted(set(folder.resolve().glob("*")) - made)
    if others:
        raise FileExistsError(
            f"{folder} is not empty: {others[0].name} is not of this run; give a new folder."
        )


def _session(
    sequence: AnnotatedVideo, ids: Sequence[int], propagator: str, predictor: str
) -> Session:
    session = Session(sequence.video, path=None, propagator=propagator, predictor=predictor)
    while not set(ids) <= {o.id for o in session.objects}:
        session.add_object()
    for o in session.objects:
        if o.id not in ids:
            session.remove_object(o.id)
    return session


def _counts(session: Session, obj: int, truth: Mapping[int, np.ndarray]) -> dict[str, Counter[str]]:
    """How many points of an object there are in each region, and how they were answered."""
    counts = {region: Counter[str]() for region in REGIONS}
    for (frame, whose), points in session.points.items():
        for p in points if whose == obj else ():
            inside = bool(truth[frame][p.y, p.x] == obj)
            count = counts[p.region]
            count["points"] += 1
            count["inside"] += inside
            count["ambiguous"] += p.label == "unknown"
            count["true"] += p.label == ("positive" if inside else "negative")
    return counts


def _shares(count: Counter[str]) -> dict[str, float | int | None]:
    """Of one region; None where there is nothing to share."""
    n, answered = count["points"], count["points"] - count["ambiguous"]
    return {
        "points": n,
        "inside": count["inside"] / n if n else None,
        "ambiguous": count["ambiguous"] / n if n else None,
        "label_accuracy": count["true"] / answered if answered else None,
    }


def _found(chain: Chain, truth: Mapping[int, np.ndarray], obj: int, seed: int) -> dict[str, float]:
    """The share of the wrong pixels that are in one piece with an answered one.

    A selector that says nothing of effects has no order but its batches, so its points are
    counted in a random one.
    """
    pieces, sizes, total = {}, {}, 0
    for frame, p in chain.probabilities.items():
        if frame in truth:
            wrong = (p > 0.5) != (truth[frame] == obj)
            _, labels = cv2.connectedComponents(wrong.astype(np.uint8), connectivity=8)
            pieces[frame] = np.asarray(labels)
            sizes[frame] = np.bincount(pieces[frame].ravel())
            total += int(wrong.sum())
    order = list(chain.candidates)
    if not any(c.effect for c in order):
        order = [order[i] for i in np.random.default_rng(seed).permutation(len(order))]
    hit: set[tuple[int, int]] = set()
    pixels, after = 0, []
    for c in order:
        piece = int(pieces[c.frame][c.y, c.x])
        if piece and (c.frame, piece) not in hit:
            hit.add((c.frame, piece))
            pixels += int(sizes[c.frame][piece])
        after.append(pixels / max(total, 1))
    last = after[-1] if after else 0.0
    return {
        **{str(k): after[k - 1] if len(after) >= k else last for k in FOUND_AFTER},
        "all": last,
    }
