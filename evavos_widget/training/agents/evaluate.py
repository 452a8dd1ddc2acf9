"""How well trained agents do on loops of other videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evavos_widget.environments.outcomes import joined
from evavos_widget.networks.ivosw import load_ivosw
from evavos_widget.networks.joint import JointModel
from evavos_widget.networks.policy import load_policy
from evavos_widget.networks.qnet import load_qnet
from evavos_widget.training.agents.ivosw import Steps
from evavos_widget.training.agents.joint import Branches
from evavos_widget.training.agents.policy import measured_returns
from evavos_widget.training.agents.qnet import evaluate
from evavos_widget.training.agents.records import LoopRecord
from evavos_widget.training.agents.samples import FramesAndMasks

__all__ = ["evaluate_agent"]


def evaluate_agent(agent: str, records: Sequence[LoopRecord], weights: str = "") -> dict[str, Any]:
    """The figures that training writes down for held-out videos, of these records.

    Parameters
    ----------
    agent : {'qnet', 'policy', 'ivosw', 'joint'}
    records : sequence of LoopRecord
        Of videos that neither taught nor chose it.
    weights : path
        By default those that come with the package.
    """
    if agent == "qnet":
        network = load_qnet(weights)
        return evaluate(network, FramesAndMasks(records, network.encoders.preset))
    if agent == "policy":
        table = joined([record.outcomes for record in records])
        return measured_returns(load_policy(weights, table.types), table)
    if agent == "ivosw":
        return Steps(records).measured(load_ivosw(weights))
    model, branches = JointModel(weights), Branches(records)
    return branches.measured(branches.told(model.level, model.slope))
