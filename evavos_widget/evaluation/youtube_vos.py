"""The scores of YouTube-VOS, which Point-VOS reports on PV-YT: Js, Fs, Ju, Fu and G.

Objects of categories that the training set has are *seen*, others *unseen*; J and F are averaged
over the objects of either kind, and G is the mean of the four. The server that scores the
validation set is not public. Here every object counts from the frame after its first, on all
frames that have ground truth.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np

from evavos_widget.evaluation.sequences import first_shown
from evavos_widget.masks import LabelMaps
from evavos_widget.metrics import j_and_f

__all__ = ["categories_of", "check_categories", "object_score", "youtube_scores"]

Objects = Mapping[tuple[str, int], tuple[float, float]]


def categories_of(meta: Path) -> dict[tuple[str, int], str]:
    """Categories of the objects of a ``meta.json``, by video and id.

    Raises
    ------
    ValueError
        The file is something else.
    """
    try:
        videos = json.loads(meta.read_text(encoding="utf-8-sig"))["videos"]
        return {
            (str(name), int(obj)): str(of["category"])
            for name, video in videos.items()
            for obj, of in video["objects"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{meta} is no meta.json of YouTube-VOS ({type(error).__name__}: {error})."
        ) from error


def check_categories(
    objects: Iterable[tuple[str, int]], categories: Mapping[tuple[str, int], str]
) -> None:
    """Raise ValueError where the category of an object, (video, id), is not known."""
    for name, obj in objects:
        if (name, obj) not in categories:
            raise ValueError(
                f"the category of object {obj} of {name!r} is not known; give the meta.json of "
                "this set."
            )


def object_score(
    masks: LabelMaps, truth: Mapping[int, np.ndarray], obj: int
) -> tuple[float, float] | None:
    """Mean J and F of an object after its first frame; None where there is no later one.

    Parameters
    ----------
    masks : LabelMaps
    truth : mapping of frame -> (H, W) label map
    obj : int
    """
    first = first_shown(truth, obj)
    later = [f for f in sorted(truth) if f > first]
    if not later:
        return None
    each = [j_and_f(masks[f] == obj, truth[f] == obj) for f in later]
    j, f = np.mean(each, axis=0).tolist()
    return j, f


def youtube_scores(
    scores: Objects, categories: Mapping[tuple[str, int], str], seen: Collection[str]
) -> dict[str, float | None]:
    """The five scores.

    Parameters
    ----------
    scores : mapping of (video, object) -> (J, F)
    categories : mapping of (video, object) -> str
    seen : collection of str
        The categories of the training set.

    Returns
    -------
    dict
        ``js``, ``fs``, ``ju``, ``fu`` and ``g``, fractions of 1. Those of a kind without an
        object are None, and then ``g`` is too.

    Raises
    ------
    ValueError
        The category of an object is not known.
    """
    check_categories(scores, categories)
    kinds: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for which, score in scores.items():
        kinds[categories[which] in seen].append(score)
    found: dict[str, float | None] = {}
    for kind, letter in ((True, "s"), (False, "u")):
        for place, metric in enumerate("jf"):
            values = [score[place] for score in kinds[kind]]
            found[metric + letter] = float(np.mean(values)) if values else None
    four = [v for v in found.values() if v is not None]
    return {**found, "g": float(np.mean(four)) if len(four) == 4 else None}
