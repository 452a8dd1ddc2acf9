"""Sets for Video Narrative Grounding on disk: made ones, and ones whose masks points have made.

Beside the two files of a set (`evavos_widget.formats.vng`) a folder holds ``JPEGImages`` and, of
made videos, ``Annotations``, so that whatever reads DAVIS reads them: the chain of Point-VOS that
draws points and makes masks of them is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import write_sequence
from evavos_widget.datasets.narrated import Cast, NarratedClip, render_narrated
from evavos_widget.datasets.point_sets import object_key
from evavos_widget.files import check_empty
from evavos_widget.formats.vng import Expression, VngVideo, read, write
from evavos_widget.masks import read_label_png, to_coco
from evavos_widget.video import Video

__all__ = ["vng_video", "with_pseudo_masks", "write_narrated"]


def vng_video(clip: NarratedClip, name: str) -> VngVideo:
    """A rendered clip as a video of a set; each narrative names every object."""
    masks = {
        str(obj): {f: to_coco(labels == obj) for f, labels in enumerate(clip.labels)}
        for obj in range(1, len(clip.subjects) + 1)
    }
    expressions = [
        Expression(f"{actor}-{i + 1}", actor, span, str(i + 1))
        for actor, said in enumerate(clip.narratives)
        for i, span in enumerate(said.spans)
    ]
    said = tuple((f"narrator {i + 1}", s.text) for i, s in enumerate(clip.narratives))
    frames = tuple(f"{f:05d}" for f in range(len(clip.frames)))
    return VngVideo(name, frames, said, tuple(expressions), masks)


def write_narrated(
    folder: Path,
    cast: Cast,
    seeds: Iterable[int],
    *,
    n_frames: int,
    height: int,
    width: int,
    by: Sequence[str | None] = (None,),
    report: Callable[[str], None] = print,
) -> list[VngVideo]:
    """Render videos with narratives into a new set.

    Parameters
    ----------
    folder : Path
    cast : Cast
    seeds : iterable of int
        A video for each.
    n_frames, height, width : int
        Of each video.
    by : sequence of str or None
        What sets the objects apart, in turn; None leaves it to the seed.
    report : callable
        Told the name of each video.

    Raises
    ------
    FileExistsError
        The folder holds something already.
    """
    check_empty(folder)
    made = []
    for number, seed in enumerate(seeds):
        name = f"narrated-{seed:05d}"
        clip = render_narrated(
            cast, seed, n_frames=n_frames, height=height, width=width, by=by[number % len(by)]
        )
        video = Video.open(clip.frames, name=name)
        write_sequence(folder, AnnotatedVideo(name, video, dict(enumerate(clip.labels))))
        made.append(vng_video(clip, name))
        report(name)
    write(made, folder)
    (folder / "ImageSets").mkdir()
    (folder / "ImageSets" / "all.txt").write_text(
        "".join(f"{v.name}\n" for v in made), encoding="utf-8"
    )
    return made


def with_pseudo_masks(
    given: Path, masks: Path, folder: Path, report: Callable[[str], None] = print
) -> list[VngVideo]:
    """A set with the nouns of a set and the masks that a predictor made of points.

    Parameters
    ----------
    given : Path
        A set, of which the masks are not looked at.
    masks : Path
        Holds ``<key>/<frame>.png``, which ``evavos pointvos pseudo-masks`` wrote of points that
        ``evavos pointvos simulate`` drew; frames without one have no mask.
    folder : Path
        Gets the new set, whose frames are those of the old: link or copy its ``JPEGImages``.
    report : callable
        Told how many masks each video has.

    Raises
    ------
    FileExistsError
        The folder of the new set holds something already.
    FileNotFoundError
        No object has a mask.
    """
    check_empty(folder)
    made = []
    for video in read(given):
        found = {}
        for obj in video.masks:
            of = masks / object_key(video.name, obj)
            drawn = {f: of / f"{name}.png" for f, name in enumerate(video.frames)}
            found[obj] = {
                f: to_coco(np.asarray(read_label_png(path)) > 0)
                for f, path in drawn.items()
                if path.is_file()
            }
        meant = tuple(e for e in video.expressions if found[e.object])
        if meant:
            made.append(replace(video, masks=found, expressions=meant))
        report(f"{video.name}: {sum(map(len, found.values()))} masks")
    if not made:
        raise FileNotFoundError(
            f"{masks} has no mask of an object of {given}; give the folder that evavos pointvos "
            "pseudo-masks wrote of this set."
        )
    write(made, folder)
    return made
