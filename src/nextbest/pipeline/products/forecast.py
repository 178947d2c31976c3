"""What `POST /predict` foretells, as a policy: which additions are possible at all, whoever a bank addresses.

A forecast leaves out what the client holds, what isn't sold, what age or residence forbids, and
clients who died or left. Staff, contacts, control groups, means and worth are a bank's decisions about
offers, not facts about what a client will take: they don't count here. An unknown age or residence
forbids nothing.
"""

from nextbest.pipeline.decisions.policy import (
    ClientRules,
    ContactPolicy,
    ControlGroup,
    DecisionPolicy,
    Exploration,
)


def forecast_policy(policy: DecisionPolicy) -> DecisionPolicy:
    """The facts of a policy without its decisions: what is possible is what counts, every product worth the same."""
    facts = {
        name: rule.model_copy(update={"value": 1.0, "lever": 1.0, "channels": (), "min_propensity": 0.0})
        for name, rule in policy.products.items()
    }
    clients = ClientRules(
        deceased=policy.clients.deceased,
        former=policy.clients.former,
        unknown_age="allow",
        unknown_residence="allow",
    )
    return policy.model_copy(
        update={
            "version": f"{policy.version} (forecast)",
            "max_offers": 1,
            "products": facts,
            "mandatory": (),
            "clients": clients,
            "suitability": (),
            "context": (),
            "contacts": ContactPolicy(),
            "control": ControlGroup(share=0.0),
            "exploration": Exploration(),
        }
    )
