"""``evavos vng``: Video Narrative Grounding from the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evavos_widget.cli.common import numbers, output_file, write

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["add_parsers"]


def add_parsers(commands: Any) -> None:
    """Add the command to those of ``evavos``; ``train`` is listed, and has a parser of its own."""
    vng = commands.add_parser("vng", help="masks of the nouns of a caption")
    doing = vng.add_subparsers(required=True, metavar="what")

    made = doing.add_parser("make", help="render videos with narratives into a set")
    made.add_argument(
        "--things",
        nargs="+",
        metavar="NOUN=FOLDER[:A-B]",
        help="photographs with masks; those of the package where none are given",
    )
    made.add_argument("--backdrops", nargs="+", metavar="FOLDER", help="photographs with masks")
    made.add_argument("--side", default="test", help="of the photographs: train, test (default)")
    made.add_argument("--seeds", default="0-9", help="A-B or A,B,...; a video each")
    made.add_argument("--frames", type=int, default=12, help="of each video (12)")
    made.add_argument("--height", type=int, default=240, help="in pixels (240)")
    made.add_argument("--width", type=int, default=432, help="in pixels (432)")
    made.add_argument("--out", type=Path, required=True, help="a new folder")
    made.set_defaults(run=_make)

    joined = doing.add_parser("join", help="the nouns of a set, and masks that points have made")
    joined.add_argument("--data", type=Path, required=True, help="a set")
    joined.add_argument(
        "--pseudo-masks", type=Path, required=True, help="of evavos pointvos pseudo-masks"
    )
    joined.add_argument("--out", type=Path, required=True, help="a new folder")
    joined.set_defaults(run=_join)

    doing.add_parser("train", help="train RF-VNG, see evavos vng train --help")

    scored = doing.add_parser("evaluate", help="J&F on a set, beside two baselines")
    scored.add_argument("--data", type=Path, required=True, help="a set with JPEGImages")
    scored.add_argument("--weights", default="rf-vng", help="a file; those of the package")
    scored.add_argument("--methods", nargs="+", help="rf-vng, name-only, salient; all by default")
    scored.add_argument("--predictions", type=Path, help="folder for the masks")
    scored.add_argument("--seed", type=int, default=0, help="of the resamples (0)")
    scored.add_argument("--json", type=output_file, help="write the figures there")
    scored.set_defaults(run=_evaluate)

    found = doing.add_parser("ground", help="masks of nouns on a video")
    found.add_argument("--video", required=True, help="a file, a folder of frames")
    found.add_argument("--caption", help="what is said; else give --narratives")
    found.add_argument(
        "--noun",
        help="a noun of the caption, or its characters, FIRST-LAST; all, by spaCy, without it",
    )
    found.add_argument("--narratives", type=Path, help="a .jsonl file of localised narratives")
    found.add_argument("--weights", default="rf-vng", help="a file; those of the package")
    found.add_argument(
        "--out", type=Path, required=True, help="a new folder for masks and pictures"
    )
    found.set_defaults(run=_ground)


def _make(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.narrated import embedded_cast, photographed_cast
    from evavos_widget.datasets.narrated_set import write_narrated

    if (args.things is None) != (args.backdrops is None):
        raise ValueError("give both --things and --backdrops, or neither.")
    cast = (
        embedded_cast()
        if args.things is None
        else photographed_cast(args.things, args.backdrops, args.side)
    )
    made = write_narrated(
        args.out,
        cast,
        numbers(args.seeds),
        n_frames=args.frames,
        height=args.height,
        width=args.width,
    )
    print(f"{len(made)} videos in {args.out}")


def _join(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.narrated_set import with_pseudo_masks

    made = with_pseudo_masks(args.data, args.pseudo_masks, args.out)
    frames = (args.data / "JPEGImages").resolve()
    (args.out / "JPEGImages").symlink_to(frames, target_is_directory=True)
    print(f"{sum(len(v.expressions) for v in made)} nouns of {len(made)} videos in {args.out}")


def _evaluate(args: argparse.Namespace) -> None:
    from evavos_widget.evaluation.vng_methods import evaluate_grounding
    from evavos_widget.grounding.rfvng import GROUNDERS

    result = evaluate_grounding(
        args.data,
        args.weights,
        methods=args.methods or GROUNDERS,
        seed=args.seed,
        predictions=args.predictions,
    )
    for method in args.methods or GROUNDERS:
        r = result[method]
        low, high = r["interval"]
        between = "" if low is None else f" ({low:.3f} to {high:.3f})"
        swap = f"; swapping the noun swaps the object {r['swap']:.3f}" if "swap" in r else ""
        print(f"{method:10s} J {r['j']:.3f}, F {r['f']:.3f}, J&F {r['jf']:.3f}{between}{swap}")
    print(f"{result['expressions']} nouns, {result['frames']} masks")
    write(result, args.json)


def _ground(args: argparse.Namespace) -> None:
    from evavos_widget.files import check_empty
    from evavos_widget.grounding.pictures import found_picture
    from evavos_widget.grounding.rfvng import RfVngGrounder
    from evavos_widget.masks import write_label_png
    from evavos_widget.video import Video

    check_empty(args.out)
    video = Video.open(args.video)
    nouns = _nouns(args, video)
    grounder = RfVngGrounder(args.weights)
    for number, (caption, span) in enumerate(nouns):
        found = grounder.ground(video, caption, span)
        noun = caption[span[0] : span[1]]
        where = args.out / f"{number:03d}"
        where.mkdir(parents=True, exist_ok=True)
        for frame, name in enumerate(video.frame_names):
            write_label_png(where / f"{name}.png", found.mask(frame).astype("uint8"))
        best = found.best
        if best is None:
            print(f"{number:03d} {noun!r}: on no frame")
            continue
        found_picture(
            video.frame(best), caption, span, found.mask(best), args.out / f"{number:03d}.jpg"
        )
        print(f"{number:03d} {noun!r}: best on frame {best}, trust {found.certainty()[best]:.2f}")
    video.close()


def _nouns(args: argparse.Namespace, video: Video) -> list[tuple[str, tuple[int, int]]]:
    from evavos_widget.formats.vidln import read, spacy_nouns
    from evavos_widget.grounding.nouns import as_span

    if (args.caption is None) == (args.narratives is None):
        raise ValueError("give --caption or --narratives, one of them.")
    if args.caption is not None:
        if args.noun is None:
            return [(args.caption, span) for span in spacy_nouns(args.caption)]
        return [(args.caption, as_span(args.caption, args.noun))]
    told = [r for r in read(args.narratives) if r.video_id == video.name]
    if not told:
        raise ValueError(f"{args.narratives} says nothing of {video.name!r}; check the names.")
    return [
        (actor.caption, span)
        for record in told
        for actor in record.actors
        if actor.actor != "background"
        for span in actor.nouns
    ]
