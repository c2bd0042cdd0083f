"""What may go wrong in the operator, as types.

    OperatorError                 exit code
     +- CRDMissing                69   the cluster does not know MixSources (or an older version of them)
     +- NoClusterAccess           78   neither in a pod nor with a kubeconfig
     +- WatchEnded                70   kopf gave up: a right was taken away for long, or the CRD was deleted
     +- DatabaseNotConfigured     78   no MIXHAUL_DATABASE_URL
     +- KubeError
         +- TransientKubeError    worth another try
         |   +- ApiUnreachable    no connection, or no answer in time
         |   +- ApiOverloaded     429
         |   +- ApiTrouble        5xx, or an answer that is no JSON
         |   +- Conflict          409: somebody wrote in between
         +- NotFound              404
         +- Forbidden             401, 403
         +- Refused               any other 4xx: the API server does not take what was sent

No sentence holds the value of a Secret: what the API server says of our own objects has none.
"""

from __future__ import annotations


class OperatorError(Exception):
    """Base of all of them."""

    exit_code = 70


class CRDMissing(OperatorError):
    """There are no MixSources of our version in this cluster."""

    exit_code = 69

    def __init__(self, api_version: str) -> None:
        self.api_version = api_version
        super().__init__(
            f"This cluster has no MixSource of {api_version}: install or upgrade the CRD with "
            "`kubectl apply --server-side --force-conflicts -f crds/`, then start the operator again."
        )


class NoClusterAccess(OperatorError):
    """There is no way to the API server."""

    exit_code = 78

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"No access to a cluster ({reason}): run in a pod with a ServiceAccount token, or set KUBECONFIG."
        )


class WatchEnded(OperatorError):
    """The watches ended without having been asked to."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"The watches ended ({reason}): check the operator's Role and that the CRD is there; "
            "Kubernetes starts the pod again."
        )


class DatabaseNotConfigured(OperatorError):
    """Progress can't be read."""

    exit_code = 78

    def __init__(self) -> None:
        super().__init__(
            "MIXHAUL_DATABASE_URL is not set: the operator reads the progress of the haul from PostgreSQL. "
            "Set it, or MIXHAUL_DATABASE_URL_FILE."
        )


class KubeError(OperatorError):
    """A call to the API server did not do what it should. `what` is the verb and the path."""

    def __init__(self, what: str, sentence: str) -> None:
        self.what = what
        super().__init__(f"{what}: {sentence}")


class TransientKubeError(KubeError):
    """Another try may work."""

    retry_after_seconds: float | None = None


class ApiUnreachable(TransientKubeError):
    """No connection, or no answer in time."""

    def __init__(self, what: str, *, detail: str) -> None:
        self.detail = detail
        super().__init__(what, f"the API server does not answer ({detail})")


class ApiOverloaded(TransientKubeError):
    """429: too many requests, or the resource is being set up anew."""

    def __init__(self, what: str, *, retry_after_seconds: float | None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(what, "the API server asks to come back later (429)")


class ApiTrouble(TransientKubeError):
    """The API server is in trouble."""

    def __init__(self, what: str, *, status: int, message: str) -> None:
        self.status = status
        super().__init__(what, f"the API server is in trouble ({status}): {message}")


class Conflict(TransientKubeError):
    """409: the object is newer than what we saw, or there already."""

    def __init__(self, what: str, *, message: str) -> None:
        super().__init__(what, f"the object has changed in between: {message}")


class NotFound(KubeError):
    """404."""

    def __init__(self, what: str, *, message: str) -> None:
        super().__init__(what, f"not there: {message}")


class Forbidden(KubeError):
    """401 or 403: a right is missing."""

    def __init__(self, what: str, *, message: str) -> None:
        super().__init__(what, f"not permitted, check the operator's Role: {message}")


class Refused(KubeError):
    """The API server does not take what was sent."""

    def __init__(self, what: str, *, status: int, message: str) -> None:
        self.status = status
        super().__init__(what, f"refused ({status}): {message}")
