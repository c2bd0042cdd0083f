"""What may go wrong between the ingestor and the cluster, as types.

    IngestorError
     +- NoClusterAccess           78   neither in a pod nor with a kubeconfig
     +- SourceWaits               80   a MixSource that can't be hauled as it is; it waits, nothing ends
     |   +- SpecUnusable               a field that this release does not take
     |   +- SecretAbsent               no such Secret in the namespace
     |   +- SecretUnusable             a Secret without one of the keys, or with a value that can't be used
     +- KubeError                 70   a call to the API server
         +- TransientKubeError         worth another try
         |   +- ApiUnreachable         no connection, or no answer in time
         |   +- ApiOverloaded          429
         |   +- ApiTrouble             5xx, or an answer that is no JSON
         +- Conflict                   409: somebody wrote in between, or it is there already
         +- Gone                       410: too old to go on from; list again
         +- NotFound                   404
         +- Forbidden                  401, 403
         +- Refused                    any other 4xx

No sentence holds the value of a Secret.
"""

from __future__ import annotations

from mixhaul_ingestor.errors import IngestorError


class NoClusterAccess(IngestorError):
    """There is no way to the API server."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"No access to a cluster ({reason}): run in a pod with a ServiceAccount token, or set KUBECONFIG and say "
            "--kubernetes, or name a manifest with --manifest."
        )


class SourceWaits(IngestorError):
    """Somebody must change something before this MixSource is hauled; it is noticed without a restart."""

    exit_code = 80

    def __init__(self, source: str, sentence: str) -> None:
        self.source = source
        super().__init__(f"MixSource {source}: {sentence}")


class SpecUnusable(SourceWaits):
    """The API server took it; this release does not."""

    def __init__(self, source: str, *, problems: str) -> None:
        self.problems = problems
        super().__init__(source, problems)


class SecretAbsent(SourceWaits):
    """The Secret that it names is not there."""

    def __init__(self, source: str, *, secret: str, field: str) -> None:
        self.secret, self.field = secret, field
        super().__init__(source, f"{field} names the Secret {secret}, which is not in its namespace: create it")


class SecretUnusable(SourceWaits):
    """The Secret is there, and no login or certificate can be made of it."""

    def __init__(self, source: str, *, problem: str) -> None:
        self.problem = problem
        super().__init__(source, problem)


class KubeError(IngestorError):
    """A call to the API server did not do what it should. `what` is the verb and the path."""

    exit_code = 70

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


class Conflict(KubeError):
    """409."""

    def __init__(self, what: str, *, message: str) -> None:
        super().__init__(what, f"somebody else was first: {message}")


class Gone(KubeError):
    """410: what was asked for is older than what the API server remembers."""

    def __init__(self, what: str, *, message: str) -> None:
        super().__init__(what, f"too old to go on from: {message}")


class NotFound(KubeError):
    """404."""

    def __init__(self, what: str, *, message: str) -> None:
        super().__init__(what, f"not there: {message}")


class Forbidden(KubeError):
    """401 or 403."""

    def __init__(self, what: str, *, status: int, message: str) -> None:
        self.status = status
        super().__init__(
            what, f"not permitted ({status}), check the ingestor's Role and its ServiceAccount token: {message}"
        )


class Refused(KubeError):
    """The API server does not take what was sent."""

    def __init__(self, what: str, *, status: int, message: str) -> None:
        self.status = status
        super().__init__(what, f"refused ({status}): {message}")
