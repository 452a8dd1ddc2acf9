"""A lean network learns from a wide one: what it is shown, and what it is to answer.

A decoder that learns from masks alone has to wait until a whole clip was carried, and needs as
many clips as its teacher did. Here the teacher carries each clip once; what went into its parts
and what came out is kept on disk (`TeacherStates`), and the parts of the lean network learn to do
the same (`Imitation`; Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network",
2015), many times as often. Encoder, keys and the click head are the teacher's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from evavos_widget.files import replacing
from evavos_widget.networks.compact import LEAN, CompactNet, DecoderSizes, Features
from evavos_widget.training.objective import carried, encoded, iou, mask_loss
from evavos_widget.training.samples import Samples

__all__ = ["Imitation", "TeacherStates", "lean_copy"]

LEAN_VALUES = 64
"""Channels within a lean value encoder, half of a wide one's."""


def lean_copy(
    teacher: CompactNet, value_width: int = LEAN_VALUES, decoder: DecoderSizes = LEAN
) -> CompactNet:
    """A network with other sizes, and everything of the teacher's that fits.

    Parameters
    ----------
    teacher : CompactNet
    value_width : int
    decoder : DecoderSizes
        See `CompactConfig`; all other sizes are the teacher's.
    """
    lean = CompactNet(replace(teacher.config, value_width=value_width, decoder=decoder))
    own, learned = lean.state_dict(), teacher.state_dict()
    fitting = {name: value for name, value in learned.items() if own[name].shape == value.shape}
    lean.load_state_dict({**own, **fitting})
    return lean


class TeacherStates(Dataset[dict[str, np.ndarray]]):
    """What a teacher makes of clips; each is worked out once, kept in a file, and used again.

    Parameters
    ----------
    samples : Samples
    teacher : CompactNet
        In evaluation mode.
    folder : Path
        For the files, about 2.4 MB a clip of three frames of 256 pixels.
    count : int
        How many clips there are.
    """

    def __init__(self, samples: Samples, teacher: CompactNet, folder: Path, count: int) -> None:
        self.samples, self.teacher, self.folder, self.count = samples, teacher, folder, count
        self.seed = samples.seed
        folder.mkdir(parents=True, exist_ok=True)

    def __getitem__(self, key: tuple[int, float]) -> dict[str, np.ndarray]:
        """One clip by its number, counted round `count`, and the progress, which is not heeded.

        Returns
        -------
        dict
            ``frames`` and ``masks`` as of `Samples`; ``cells`` of every frame; of every frame but
            the last ``before``, the mask that went in, ``others`` and ``value``; of every frame
            but the first ``everywhere``, ``near`` and ``found``, the log odds that came out.
            Numbers in half precision, masks in levels of 255.
        """
        from safetensors.numpy import load_file, save_file

        number = key[0] % self.count
        file = self.folder / f"{number:06d}.safetensors"
        if not file.exists():
            state = self._state(number)
            with replacing(file) as new:
                save_file(state, new)
        return load_file(file)

    @torch.inference_mode()
    def _state(self, number: int) -> dict[str, np.ndarray]:
        sample = self.samples[number, 1.0]
        masks, others = (torch.from_numpy(sample[x]).float() / 255 for x in ("masks", "others"))
        teacher, frames = self.teacher, torch.from_numpy(sample["frames"])
        each = encoded(teacher, frames[None])
        steps = list(carried(teacher, each, masks[None, :1], others[None, :, None]))
        halves = {
            "cells": torch.cat([features.cells for features in each]),
            "value": torch.cat([step.value for step in steps]),
            "everywhere": torch.cat([step.everywhere for step in steps]),
            "near": torch.cat([step.near for step in steps]),
            "found": torch.cat([step.logits for step in steps]),
        }
        before = torch.cat([step.before for step in steps])
        return {
            "frames": sample["frames"],
            "masks": sample["masks"],
            "others": sample["others"][:-1],
            "before": (255 * before).round().byte().numpy(),
            **{name: np.ascontiguousarray(x.half().numpy()) for name, x in halves.items()},
        }


class Imitation(nn.Module):
    """Loss of the lean parts on what `TeacherStates` kept; half of it looks at the truth.

    Parameters
    ----------
    network : CompactNet
        Of `lean_copy`.
    """

    LOGGED = ("loss", "value_loss", "propagation_loss", "iou")

    def __init__(self, network: CompactNet) -> None:
        super().__init__()
        self.network = network
        network.clicks.requires_grad_(False)

    def forward(
        self, batch: dict[str, Tensor], progress: float, random: np.random.Generator
    ) -> dict[str, Tensor]:
        """Losses and what is logged, all scalars; see `Objective`.

        Parameters
        ----------
        batch : dict
            Of `TeacherStates`, B at a time.
        progress : float
        random : Generator
            Not needed.
        """
        network, clips = self.network, len(batch["frames"])
        levels = {name: batch[name].float() / 255 for name in ("masks", "others", "before")}
        with torch.no_grad():
            images = batch["frames"].flatten(0, 1).permute(0, 3, 1, 2).float() / 255
            stems = network.backbone.stem(images.contiguous(memory_format=torch.channels_last))
        half, quarter = (stem.unflatten(0, (clips, -1)) for stem in stems)
        cells = batch["cells"].float()
        # Values and masks are found without a frame's keys.
        no_key = cells.new_zeros(0)

        def features(which: slice) -> Features:
            fine, middle, coarse = (_flat(x[:, which]) for x in (half, quarter, cells))
            return Features(fine, middle, coarse, no_key)

        value = network.remember(
            features(slice(None, -1)),
            levels["before"].flatten(0, 1),
            levels["others"].flatten(0, 1)[:, None],
        )[:, :-4]
        wanted = batch["value"].float().flatten(0, 1)[:, :-4]
        value_loss = (value - wanted).square().mean() / wanted.var()
        found = network.decode(
            features(slice(1, None)),
            _flat(batch["everywhere"].float()),
            _flat(batch["near"].float()),
            levels["before"].flatten(0, 1),
        )
        truth = levels["masks"][:, 1:].flatten(0, 1)[:, None]
        propagation = _both(found, batch["found"].flatten(0, 1), truth, progress)
        return {
            "loss": value_loss + propagation,
            "value_loss": value_loss.detach(),
            "propagation_loss": propagation.detach(),
            "iou": iou(found.detach().sigmoid(), truth),
        }


def _flat(x: Tensor) -> Tensor:
    return x.flatten(0, 1).contiguous(memory_format=torch.channels_last)


def _both(logits: Tensor, teacher: Tensor, truth: Tensor, progress: float) -> Tensor:
    """Half of the loss by the teacher's answer, half by the truth."""
    taught = mask_loss(logits, teacher.float().sigmoid(), progress)
    return (taught + mask_loss(logits, truth, progress)).mean() / 2
