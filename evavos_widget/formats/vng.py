"""Sets for Video Narrative Grounding: nouns of narratives, and the masks that they mean.

``meta_expressions.json`` as published with Video Localized Narratives: by video its ``frames``,
``actor_narratives`` and ``expressions``, each with the place of its noun in a narrative and an
``obj_id``. The masks lie in ``extra_masks.json``, COCO RLE by frame and null where there is none;
its layout is that of YouTube-VIS, since the published file is not described.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.files import is_plain_name, replacing
from evavos_widget.formats.vidln import Localisation, Narratives
from evavos_widget.masks import from_coco, to_coco

__all__ = ["EXPRESSIONS", "MASKS", "Expression", "VngVideo", "of_narratives", "read", "write"]

EXPRESSIONS, MASKS = "meta_expressions.json", "extra_masks.json"
"""The two files of a set."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A noun that means an object.

    Parameters
    ----------
    id : str
    actor : int
        Number of the narrative.
    span : (int, int)
        Of the noun in the narrative, from its first character to that after its last.
    object : str
    """

    id: str
    actor: int
    span: tuple[int, int]
    object: str


@dataclass(frozen=True, eq=False)
class VngVideo:
    """A video of a set.

    Parameters
    ----------
    name : str
    frames : tuple of str
        Stems of the files of its frames, in order.
    narratives : tuple of (str, str)
        Of each actor the name, and what was said.
    expressions : tuple of Expression
        Several may mean one object, and their masks may overlap.
    masks : mapping of object -> mapping of frame -> COCO RLE
        Frames by number. One that is not there has no mask, which does not say that the object
        is absent; where it is absent the mask is empty.
    """

    name: str
    frames: tuple[str, ...]
    narratives: tuple[tuple[str, str], ...]
    expressions: tuple[Expression, ...]
    masks: Mapping[str, Mapping[int, Mapping[str, Any]]]

    def noun(self, expression: Expression) -> str:
        """The noun as it was said."""
        return self.narratives[expression.actor][1][slice(*expression.span)]

    def mask(self, expression: Expression, frame: int) -> np.ndarray | None:
        """The mask that an expression means, (H, W) bool; None where the frame has none."""
        coded = self.masks[expression.object].get(frame)
        return None if coded is None else from_coco(coded)

    def annotated(self, expression: Expression) -> list[int]:
        """The frames with a mask of what an expression means."""
        return sorted(self.masks[expression.object])


def of_narratives(
    narratives: Narratives,
    frames: Sequence[str],
    found: Iterable[tuple[Localisation, Mapping[int, np.ndarray]]],
) -> VngVideo:
    """A video of a set from what was said of it and from masks of its nouns.

    Parameters
    ----------
    narratives : Narratives
    frames : sequence of str
        Stems of the files of all frames.
    found : iterable of (Localisation, mapping of frame -> (H, W) mask)
        A noun, and the masks that were made of it, such as pseudo-masks of verified points.
    """
    expressions, masks = [], {}
    for number, (noun, drawn) in enumerate(found):
        obj = str(number + 1)
        expressions.append(Expression(str(number), noun.actor, noun.span, obj))
        masks[obj] = {frame: to_coco(mask) for frame, mask in sorted(drawn.items())}
    said = tuple((actor.actor, actor.caption) for actor in narratives.actors)
    return VngVideo(narratives.video_id, tuple(frames), said, tuple(expressions), masks)


def write(videos: Iterable[VngVideo], folder: str | Path) -> None:
    """Write a set.

    Raises
    ------
    ValueError
        A name cannot be that of a folder, or a video is there twice.
    """
    folder = Path(folder)
    told: dict[str, Any] = {}
    annotations: list[dict[str, Any]] = []
    for video in videos:
        if video.name in told:
            raise ValueError(f"the video {video.name!r} is there twice; give it once.")
        for name in (video.name, *video.frames, *(e.id for e in video.expressions)):
            if not is_plain_name(name):
                raise ValueError(f"{name!r} cannot be the name of a file; rename it.")
        told[video.name] = {
            "frames": list(video.frames),
            "actor_narratives": [
                {"actor_idx": i, "actor_name": actor, "description": said}
                for i, (actor, said) in enumerate(video.narratives)
            ],
            "expressions": {
                e.id: {
                    "narrative_actor_idx": e.actor,
                    "noun_phrase_start_idx": e.span[0],
                    "noun_phrase_end_idx": e.span[1],
                    "obj_id": e.object,
                }
                for e in video.expressions
            },
        }
        for obj, masks in video.masks.items():
            segments = [masks.get(f) for f in range(len(video.frames))]
            annotations.append({"id": obj, "video_id": video.name, "segmentations": segments})
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        (EXPRESSIONS, {"videos": told}),
        (MASKS, {"annotations": annotations}),
    ):
        with replacing(folder / name) as new:
            new.write_text(json.dumps(content), encoding="utf-8")


def read(folder: str | Path) -> list[VngVideo]:
    """Read a set that `write` wrote.

    Raises
    ------
    FileNotFoundError
        One of the two files is not there.
    ValueError
        They are damaged, a name cannot be that of a folder, an object is there twice, or an
        expression means one without masks.
    """
    folder = Path(folder)
    try:
        told, coded = (
            json.loads((folder / name).read_text(encoding="utf-8-sig"))
            for name in (EXPRESSIONS, MASKS)
        )
        masks: dict[str, dict[str, dict[int, Any]]] = {}
        for a in coded["annotations"]:
            segments = {f: s for f, s in enumerate(a["segmentations"]) if s is not None}
            of = masks.setdefault(str(a["video_id"]), {})
            if str(a["id"]) in of:
                raise ValueError(f"object {a['id']!r} of {a['video_id']!r} is there twice")
            of[str(a["id"])] = segments
        return [
            _video(str(name), v, masks.get(str(name), {})) for name, v in told["videos"].items()
        ]
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{folder} holds no set for Video Narrative Grounding ({type(error).__name__}: "
            f"{error}); give the folder of {EXPRESSIONS} and {MASKS}."
        ) from error


def _video(name: str, told: Any, masks: Mapping[str, Mapping[int, Any]]) -> VngVideo:
    said = sorted(told["actor_narratives"], key=lambda a: int(a["actor_idx"]))
    narratives = tuple((str(a["actor_name"]), str(a["description"])) for a in said)
    if [int(a["actor_idx"]) for a in said] != list(range(len(said))):
        raise ValueError(f"the narratives of {name!r} are not numbered from 0")
    frames = tuple(map(str, told["frames"]))
    for each in (name, *frames, *told["expressions"]):
        if not is_plain_name(each):
            raise ValueError(f"{each!r} cannot be the name of a file")
    expressions = []
    for key, e in told["expressions"].items():
        span = int(e["noun_phrase_start_idx"]), int(e["noun_phrase_end_idx"])
        actor, obj = int(e["narrative_actor_idx"]), str(e["obj_id"])
        if not 0 <= actor < len(narratives):
            raise ValueError(f"expression {key!r} of {name!r} is of narrative {actor}")
        if not 0 <= span[0] < span[1] <= len(narratives[actor][1]):
            raise ValueError(f"expression {key!r} of {name!r} is no part of what was said")
        if obj not in masks:
            raise ValueError(f"expression {key!r} of {name!r} means {obj!r}, which has no masks")
        expressions.append(Expression(str(key), actor, span, obj))
    for obj, of in masks.items():
        if any(not 0 <= f < len(frames) for f in of):
            raise ValueError(f"object {obj!r} of {name!r} has masks beyond the last frame")
    return VngVideo(name, frames, narratives, tuple(expressions), masks)
