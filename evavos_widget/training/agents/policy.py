"""Train the policy with PPO on ``evavos_widget/Annotation-v0`` (EVA-VOS Sec. 2.3)."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor

from evavos_widget.checkpoints import WeightsError
from evavos_widget.environments.annotation import AnnotationEnv
from evavos_widget.environments.outcomes import Recorded, joined
from evavos_widget.networks.agent_weights import write_agent
from evavos_widget.networks.encoders_of_pairs import TwoEncoders, as_arrays
from evavos_widget.networks.observation import ENCODER, FRAME_NUMBERS
from evavos_widget.networks.policy import Policy
from evavos_widget.networks.qnet import load_qnet
from evavos_widget.training.agents.figures import figures
from evavos_widget.training.agents.fit import Stopped, load_state, save_state
from evavos_widget.training.agents.records import LoopRecord, fingerprint, held_out

__all__ = ["SETTINGS", "mean_return", "measured_returns", "train_policy"]

SETTINGS: dict[str, dict[str, Any]] = {
    "paper": {"rate": 1e-5, "steps": 50_000, "weight_decay": 0.0, "of_qnet": False},
    "compact": {"rate": 1e-3, "steps": 24_000, "weight_decay": 0.0, "of_qnet": True},
    "released": {"rate": 1e-5, "steps": 70_000, "weight_decay": 0.01, "of_qnet": False},
}
"""``paper``: Adam, learning rate 1e-5, 50,000 iterations (EVA-VOS Sec. 3). ``released``: what the
authors' code does in their place. ``compact``: ours; its encoders are QNet's and stay as they are,
since those that learn with the policy know the frames that they saw by heart (docs/agent.md)."""

SCALE = 100.0
"""Rewards are multiplied by it, so that the value has numbers near 1 to learn."""

DISCOUNT = 0.95
"""Of what comes a step later, as in the authors' code; the paper does not say."""

ROUND = 1024
"""Steps between two updates, and between two looks at the held-out frames."""

ENVIRONMENTS = 8
"""That are stepped together; a step is a look-up."""


class _Encoders(BaseFeaturesExtractor):
    """`TwoEncoders` as stable-baselines3 takes them; its two linear heads follow."""

    def __init__(self, observation_space: Any, encoders: TwoEncoders | None = None) -> None:
        made = TwoEncoders("compact", dropout=0) if encoders is None else encoders
        super().__init__(observation_space, made.width)
        self.encoders = made

    def forward(self, observations: Tensor) -> Tensor:
        return self.encoders(observations[:, :FRAME_NUMBERS], observations[:, FRAME_NUMBERS:])


def train_policy(
    records: Sequence[LoopRecord],
    out: Path,
    *,
    preset: str = "compact",
    seed: int = 0,
    steps: int | None = None,
    released: bool = False,
    qnet: str = "",
) -> dict[str, Any]:
    """Train, and write ``policy.safetensors`` into `out`; what was measured on held-out videos.

    The policy that earned most on held-out videos is taken, where the authors' code takes the one
    that earned most in training.

    Parameters
    ----------
    records : sequence of LoopRecord
    out : Path
        A run that was stopped goes on there, from its last round.
    preset : {'compact', 'paper', 'released'}
        See `SETTINGS`.
    seed : int
    steps : int, optional
        Instead of those of the preset.
    released : bool
        Rewards as in the authors' code; always so with that preset.
    qnet : path
        Whose encoders ``compact`` takes; by default those of the weights that come with the
        package. No held-out video may have taught it.

    Raises
    ------
    ValueError
        There are no outcomes on either side, or the first round made no numbers.
    WeightsError
        There are no such weights of QNet, or they are of another preset or encoder.
    """
    begun = time.process_time()
    out.mkdir(parents=True, exist_ok=True)
    settings = SETTINGS[preset]
    released = released or preset == "released"
    sides = held_out(records)
    if not all(sides):
        raise ValueError(
            f"there are {len(sides[0])} loops to learn from and {len(sides[1])} of held-out "
            "videos; collect loops of more videos."
        )
    tables = [joined([r.outcomes for r in side]) for side in sides]
    learner = _learner(tables[0], settings, seed, released)
    encoders: Any = learner.policy.features_extractor.encoders
    if settings["of_qnet"]:
        encoders.load_state_dict(_of_qnet(qnet))
        encoders.requires_grad_(False)
    else:
        encoders.fit(tables[0].frames, tables[0].masks)
    total = settings["steps"] if steps is None else steps
    of = fingerprint(records, "policy", preset, released, _sum_of(encoders))
    look = _Look(learner, tables[1], out / "state.pt", seed, of)
    done = look.restore()
    rounds = max(1, -(-total // ROUND))
    for number in range(done, rounds):
        # Each round begins anew from the seed and its number, so that a run goes on as it would.
        # Its environments take the numbers that follow, which no other round has.
        learner.set_random_seed((seed * 100_003 + number) * ENVIRONMENTS % 2**31)
        learner._last_obs = None
        try:
            learner.learn(ROUND, reset_num_timesteps=number == 0)
        except ValueError:  # a distribution of what is no number
            if _is_finite(learner):
                raise
        if not look.after(number + 1):
            break
    policy = _exported(learner, tables[0].types, look.best)
    about = {
        "agent": "policy",
        "preset": preset,
        "types": list(tables[0].types),
        "encoder": ENCODER,
        "scale": SCALE,
        "of_qnet": settings["of_qnet"],
        "released": released,
        "seed": seed,
        "round": look.taken,
        "rounds": rounds,
        "cases": len(tables[0]),
        "cpu_seconds": round(time.process_time() - begun),
        "held_out": measured_returns(policy, tables[1]),
    }
    write_agent(out / "policy.safetensors", about, as_arrays(policy))
    return about


def _of_qnet(weights: str) -> dict[str, Tensor]:
    """The encoders of QNet, as ``compact`` has them."""
    encoders = load_qnet(weights).encoders
    if encoders.preset != "compact":
        raise WeightsError(
            f"{weights} is a QNet of the preset {encoders.preset!r}, and the policy sees what the "
            "preset 'compact' does; give one of that."
        )
    return encoders.state_dict()


def _sum_of(module: torch.nn.Module) -> int:
    """A number that other weights do not have."""
    return crc32(b"".join(value.numpy().tobytes() for value in module.state_dict().values()))


def _is_finite(learner: MaskablePPO) -> bool:
    return all(bool(torch.isfinite(p).all()) for p in learner.policy.parameters())


def _learner(table: Recorded, settings: dict[str, Any], seed: int, released: bool) -> MaskablePPO:
    environments = DummyVecEnv(
        [lambda: AnnotationEnv(table, scale=SCALE, released=released)] * ENVIRONMENTS
    )
    return MaskablePPO(
        MaskableActorCriticPolicy,
        environments,
        learning_rate=settings["rate"],
        n_steps=ROUND // ENVIRONMENTS,
        batch_size=128,
        n_epochs=10,
        gamma=DISCOUNT,
        seed=seed,
        device="cpu",
        policy_kwargs={
            "features_extractor_class": _Encoders,
            "net_arch": [],  # two linear layers and nothing before them
            "optimizer_class": torch.optim.AdamW if settings["weight_decay"] else torch.optim.Adam,
            "optimizer_kwargs": {"weight_decay": settings["weight_decay"], "eps": 1e-5},
        },
    )


class _Look:
    """The best policy so far, as held-out frames have it, and what a killed run goes on from."""

    def __init__(
        self, learner: MaskablePPO, table: Recorded, file: Path, seed: int, of: int
    ) -> None:
        self.learner, self.table, self.file, self.seed, self.of = learner, table, file, seed, of
        self.best = {k: v.clone() for k, v in learner.policy.state_dict().items()}
        self.reached, self.taken = -np.inf, 0

    def restore(self) -> int:
        """Go on from what is there; how many rounds were done."""
        state = load_state(self.file, self.seed, self.of)
        if state is None:
            return 0
        self.learner.policy.load_state_dict(state["policy"])
        self.learner.policy.optimizer.load_state_dict(state["optimizer"])
        self.learner.num_timesteps = state["timesteps"]
        self.best, self.reached, self.taken = state["best"], state["reached"], state["taken"]
        return state["rounds"]

    def after(self, rounds: int) -> bool:
        """Take note of a round; whether the numbers are still numbers."""
        policy = self.learner.policy
        if not _is_finite(self.learner):
            if not self.taken:
                raise ValueError(
                    "the policy is not a number after its first round; give a smaller learning "
                    "rate, or look for such numbers in the data."
                )
            warnings.warn(
                f"the policy is not a number after round {rounds}; training ended with that of "
                f"round {self.taken}.",
                Stopped,
                stacklevel=2,
            )
            return False
        exported = _exported(self.learner, self.table.types, policy.state_dict())
        reached = mean_return(exported, self.table)
        if reached > self.reached:
            self.reached, self.taken = reached, rounds
            self.best = {k: v.clone() for k, v in policy.state_dict().items()}
        save_state(
            self.file,
            self.seed,
            self.of,
            policy=policy.state_dict(),
            optimizer=policy.optimizer.state_dict(),
            timesteps=self.learner.num_timesteps,
            rounds=rounds,
            best=self.best,
            reached=self.reached,
            taken=self.taken,
        )
        return True


def _exported(learner: MaskablePPO, types: tuple[str, ...], state: dict[str, Tensor]) -> Policy:
    """The policy alone, without stable-baselines3."""
    policy = Policy(types, SCALE)
    names = {
        "features_extractor.encoders.": "encoders.",
        "action_net.": "to_types.",
        "value_net.": "to_value.",
    }
    policy.load_state_dict(
        {
            new + key.removeprefix(old): value
            for old, new in names.items()
            for key, value in state.items()
            if key.startswith(old)
        }
    )
    return policy.eval()


@torch.inference_mode()
def mean_return(policy: Policy, table: Recorded, choose: str | None = None) -> float:
    """Mean over frames of the sum of rewards, J&F per second, with the likeliest type each time.

    Parameters
    ----------
    policy : Policy
    table : Recorded
    choose : str, optional
        Always this type instead, while it is valid.
    """
    env = AnnotationEnv(table)
    logits, _ = policy(torch.from_numpy(
        np.concatenate([table.frames, table.masks], 1).astype(np.float32)
    ))  # fmt: skip
    total = 0.0
    for case in range(len(table)):
        env.reset(options={"case": case})
        over = False
        while not over:
            scores = logits[env._node].clone()
            if choose is not None:
                scores = torch.tensor([float(kind == choose) for kind in table.types])
            scores[torch.from_numpy(~env.action_masks())] = -torch.inf
            _, reward, over, _, _ = env.step(int(scores.argmax()))
            total += reward
    return total / len(table)


def measured_returns(policy: Policy, table: Recorded) -> dict[str, float | None]:
    """Mean sum of rewards, of the policy and of each type alone."""
    returns = {kind: mean_return(policy, table, kind) for kind in table.types}
    alone = {f"return_{kind}_only": value for kind, value in returns.items()}
    return figures({"n": len(table), "return": mean_return(policy, table), **alone})
