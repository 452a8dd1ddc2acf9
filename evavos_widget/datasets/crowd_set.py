"""Write `crowd` videos to disk, where experiments and others find them as they find DAVIS.

The folder says what is in it: ``dataset.json`` has for every video its level, side, seed and
photographs, and the photographs of both sides.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.crowd import render_crowd
from evavos_widget.datasets.davis import write_sequence
from evavos_widget.datasets.photographs import SIDES, Photograph
from evavos_widget.files import replacing
from evavos_widget.video import Video

__all__ = ["HEIGHT", "WIDTH", "synthetic_videos", "write_crowd"]

ABOUT = "dataset.json"

HEIGHT, WIDTH = 320, 568
"""Of the frames in pixels; as small as the training sequences of DAVIS-2016 are often kept."""


def write_crowd(
    root: str | os.PathLike[str],
    photographs: Sequence[Photograph],
    seeds: Iterable[int],
    *,
    side: str = "test",
    level: str = "middle",
    height: int = HEIGHT,
    width: int = WIDTH,
    on_video: Callable[[str], None] | None = None,
) -> list[str]:
    """Render videos and add them to the dataset in a folder; those that are there are kept.

    Parameters
    ----------
    root : path
        Created if needed. The videos go to ``JPEGImages`` and ``Annotations``, their names to
        ``ImageSets/<side>-<level>.txt``.
    photographs : sequence of Photograph
        Of both sides; only those of `side` are used.
    seeds : iterable of int
        A video for each.
    side : {'train', 'test'}
    level : str
        A key of `crowd.LEVELS`.
    height, width : int
        Of the frames in pixels.
    on_video : callable, optional
        Told the name of each video that is there.

    Returns
    -------
    list of str
        The names of the videos.

    Raises
    ------
    ValueError
        There is no such side or level, or the folder has the video in another size or of other
        photographs.
    """
    if side not in SIDES:
        raise ValueError(f"there is no side {side!r}; choose from {list(SIDES)}.")
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    sides = {s: sorted(p.name for p in photographs if p.side == s) for s in SIDES}
    about = _read(root) or {"generator": "crowd", "photographs": sides, "videos": {}}
    if about["photographs"] != sides:
        raise ValueError(
            f"{root} holds videos of other photographs; give another folder, or the same "
            "photographs."
        )
    own = [photograph for photograph in photographs if photograph.side == side]
    names = []
    for seed in seeds:
        name = f"{side}-{level}-{seed:04d}"
        known = about["videos"].get(name)
        if known is not None and known["size"] != [height, width]:
            raise ValueError(
                f"{root} holds {name!r} with {known['size'][0]} x {known['size'][1]} pixels; give "
                "another folder, or this size."
            )
        if known is None:
            clip = render_crowd(own, seed, level, height=height, width=width)
            video = Video.open(clip.frames, name=name)
            write_sequence(root, AnnotatedVideo(name, video, dict(enumerate(clip.labels))))
            about["videos"][name] = {
                "level": level,
                "side": side,
                "seed": seed,
                "size": [height, width],
                "frames": len(clip.frames),
                "objects": clip.names,
                "photographs": clip.photographs,
            }
            with replacing(root / ABOUT) as path:
                path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        names.append(name)
        if on_video is not None:
            on_video(name)
    listed = [n for n, v in about["videos"].items() if (v["side"], v["level"]) == (side, level)]
    (root / "ImageSets").mkdir(exist_ok=True)
    (root / "ImageSets" / f"{side}-{level}.txt").write_text(
        "\n".join(sorted(listed)) + "\n", encoding="utf-8"
    )
    return names


def synthetic_videos(root: str | os.PathLike[str], names: Iterable[str]) -> str | None:
    """What of a dataset's videos is synthetic, in words for a table; None if nothing is known.

    Parameters
    ----------
    root : path
    names : iterable of str
    """
    about = _read(Path(root))
    videos = {} if about is None else about["videos"]
    kinds = sorted({(v["level"], v["side"]) for n in names if (v := videos.get(n))})
    if not kinds:
        return None
    listed = ", ".join(f"{level} ({side} side)" for level, side in kinds)
    return f"crowd, {listed}: cut-outs of photographs that the computer moves over others"


def _read(root: Path) -> dict[str, Any] | None:
    path = root / ABOUT
    if not path.is_file():
        return None
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); give another folder.") from error
    return about if isinstance(about, dict) and about.get("generator") == "crowd" else None
