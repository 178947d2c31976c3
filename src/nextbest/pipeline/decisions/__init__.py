"""From probabilities to offers: filters, arbitration, contact policy, control group, exploration, reasons.

The way itself is `nextbest.pipeline.decisions.decide.decide`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nextbest.pipeline.decisions.audit import AuditLog as AuditLog
    from nextbest.pipeline.decisions.contacts import CONTACTS as CONTACTS
    from nextbest.pipeline.decisions.control import in_control as in_control
    from nextbest.pipeline.decisions.decision_log import DecisionLog as DecisionLog
    from nextbest.pipeline.decisions.decisions import DECISION_LOG as DECISION_LOG
    from nextbest.pipeline.decisions.decisions import Decisions as Decisions
    from nextbest.pipeline.decisions.policy import DecisionPolicy as DecisionPolicy
    from nextbest.pipeline.decisions.policy import load_policy as load_policy
    from nextbest.pipeline.decisions.reason_codes import REASONS as REASONS
    from nextbest.pipeline.decisions.reasons import ReasonSource as ReasonSource
    from nextbest.pipeline.decisions.rules import compile_policy as compile_policy

_HOME = {
    "AuditLog": "audit",
    "CONTACTS": "contacts",
    "DECISION_LOG": "decisions",
    "DecisionLog": "decision_log",
    "DecisionPolicy": "policy",
    "Decisions": "decisions",
    "REASONS": "reason_codes",
    "ReasonSource": "reasons",
    "compile_policy": "rules",
    "in_control": "control",
    "load_policy": "policy",
}
__all__ = [
    "CONTACTS",
    "DECISION_LOG",
    "REASONS",
    "AuditLog",
    "DecisionLog",
    "DecisionPolicy",
    "Decisions",
    "ReasonSource",
    "compile_policy",
    "in_control",
    "load_policy",
]


def __getattr__(name: str) -> Any:
    """Public names, imported on first use: importing the package does nothing."""
    if name not in _HOME:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"nextbest.pipeline.decisions.{_HOME[name]}"), name)
