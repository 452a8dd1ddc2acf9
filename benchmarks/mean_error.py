"""How far the mean predicted J&F of a video is off: `python -m benchmarks.mean_error LOOPS`.

From the loops that ``evavos train collect`` wrote, with drawn and clicked masks as an agent met
them: true less predicted mean of every state, for `campaign.MEAN_ERROR`; and the same of the states
in which nothing, some and everything came of clicks.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from evavos_widget.evaluation.calibration import mean_error
from evavos_widget.training.agents.records import read_records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("loops", type=Path, nargs="+")
    apart: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in read_records(*parser.parse_args().loops):
        for t, predicted in enumerate(record.predicted):
            clicked = 1 - record.drawn[t].sum() / max((record.trust[t] >= 0).sum(), 1)
            how = "all drawn" if clicked == 0 else "all clicked" if clicked == 1 else "some clicked"
            known = np.isfinite(predicted)
            error = float(record.true[t, known, 0].mean() - predicted[known].mean())
            for kind in ("all", how):
                apart[kind][record.about["video"]].append(error)
    for kind, of in apart.items():
        found = mean_error(list(of.values()))
        off = np.mean([np.abs(errors).mean() for errors in of.values()])
        print(
            f"{kind:12s} bias {found['bias']:+.3f}, deviation {found['deviation']:.3f} over "
            f"{found['n']} videos ({sum(map(len, of.values()))} states), off by {off:.3f}"
        )


if __name__ == "__main__":
    main()
