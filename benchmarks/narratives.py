"""Pictures of where the nouns of narratives are: `python -m benchmarks.narratives VIDLN PICTURE`.

Of every record of Video Localized Narratives in ``VIDLN/*.jsonl`` the nouns with the largest
traces, each on its key frame, with the mask that ``compact:free`` makes of the trace; on grey where
the key frame is not in ``VIDLN/frames``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evavos_widget import engines
from evavos_widget.formats.vidln import Localisation, Narratives, localisations, read
from evavos_widget.masks import OKABE_ITO
from evavos_widget.prompts import Prompts

NOUNS = 2
"""Of each record, different ones with the largest traces."""

COLUMNS = 3

NO_PICTURE = np.full((360, 640, 3), 235, np.uint8)


def largest(record: Narratives) -> Iterator[tuple[Localisation, str]]:
    """Different nouns, the largest trace first, each with its caption."""
    seen = set()
    for found in sorted(localisations(record), key=lambda found: -found.area):
        if found.noun not in seen:
            seen.add(found.noun)
            yield found, record.actors[found.actor].caption


def key_frame(data: Path, record: Narratives, found: Localisation) -> np.ndarray | None:
    files = data.glob(f"frames/**/{record.video_id}/{found.frame_name}.*")
    file = next(files, None)
    return None if file is None else np.asarray(Image.open(file).convert("RGB"))


def panel(axes: Any, picture: np.ndarray | None, found: Localisation, predictor: Any) -> None:
    """The trace on its key frame, and the mask that a predictor makes of it."""
    axes.imshow(NO_PICTURE if picture is None else picture)
    if picture is not None:
        scribbles = found.scribbles(*picture.shape[:2])
        mask = predictor.predict(picture, Prompts(scribbles=scribbles)).mask
        veil = np.zeros((*mask.shape, 4))
        veil[mask] = [*OKABE_ITO[0] / 255, 0.5]
        axes.imshow(veil)
    height, width = (NO_PICTURE if picture is None else picture).shape[:2]
    for stroke in found.strokes:
        axes.plot(stroke[:, 0] * width, stroke[:, 1] * height, color=OKABE_ITO[4] / 255)
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])


def told(found: Localisation, caption: str) -> str:
    """The noun in brackets, with a few words around it."""
    start, end = found.span
    before, after = caption[:start].split()[-4:], caption[end:].split()[:3]
    return " ".join([*before, f"[{found.noun}]", *after])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("picture", type=Path)
    args = parser.parse_args()
    from matplotlib.figure import Figure

    records = [r for file in sorted(args.data.glob("*.jsonl")) for r in read(file)]
    predictor = engines.create("predictor", "compact:free")
    rows = -(-len(records) * NOUNS // COLUMNS)
    figure = Figure(figsize=(10, 1.75 * rows + 0.2), layout="constrained")
    places = iter(figure.subplots(rows, COLUMNS, squeeze=False).ravel())
    for record in records:
        for found, caption in islice(largest(record), NOUNS):
            axes = next(places)
            panel(axes, key_frame(args.data, record, found), found, predictor)
            name = record.dataset_id.split("_")[0]
            axes.set_title(f"{name}: {told(found, caption)}", fontsize=7)
    for axes in places:
        axes.set_axis_off()
    figure.savefig(args.picture, dpi=110)


if __name__ == "__main__":
    main()
