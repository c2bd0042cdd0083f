"""The Secrets that the spec names: there, and complete?"""

from __future__ import annotations

from mixhaul_operator.conditions.finding import Blocker
from mixhaul_operator.steps.run import Run, Tools
from mixhaul_source.conditions import Reason


async def look_at_secret(tools: Tools, run: Run) -> None:
    """Values are not seen here: the world keeps hashes."""
    if run.spec is None:
        return
    name = run.spec.secret_ref.name
    state = tools.world.secrets.get(name)
    if state is None:
        run.secret_problem = Blocker(
            Reason.SECRET_MISSING,
            f"The Secret {name} that spec.secretRef names is not there: make it in the namespace of the MixSource.",
        )
        return
    run.secret_changed_at = state.changed_at
    run.login = state.login
    if state.problem is not None:
        run.secret_problem = Blocker(Reason.SECRET_INCOMPLETE, f"The Secret {name} can't be used: {state.problem}.")
        return
    certificates = run.spec.endpoint.ca_secret_ref
    if certificates is None:
        return
    field = "spec.endpoint.caSecretRef"
    found = tools.world.secrets.get(certificates.name)
    if found is None:
        message = f"The Secret {certificates.name} that {field} names is not there: make it."
        run.secret_problem = Blocker(Reason.SECRET_MISSING, message)
    elif certificates.key not in found.keys:
        message = f"The Secret {certificates.name} that {field} names has no key {certificates.key}: add it."
        run.secret_problem = Blocker(Reason.SECRET_INCOMPLETE, message)
