"""Names, labels and keys that the operator uses. All are deterministic: that is what makes a retry harmless."""

from __future__ import annotations

import hashlib
from typing import Final

from mixhaul_source.model import GROUP

# A CronJob's name may have 52 characters, since the Job's name adds eleven.
_LONGEST_CRON_JOB: Final = 52
_LONGEST_LABEL: Final = 63

MANAGER: Final = "mixhaul-operator"
FINALIZER: Final = f"{GROUP}/delete-data"
REQUEST_ANNOTATION: Final = f"{GROUP}/request"
REQUEST_ID_ANNOTATION: Final = f"{GROUP}/request-id"
SOURCE_LABEL: Final = f"{GROUP}/source"


def cron_job_name(source: str) -> str:
    """The one CronJob of a MixSource; a long name is cut and keeps apart by a hash."""
    return _fitted(f"mixhaul-sync-{source}", _LONGEST_CRON_JOB, of=source)


def labels(source: str) -> dict[str, str]:
    """What we put on each object that is ours."""
    return {
        "app.kubernetes.io/name": "mixhaul",
        "app.kubernetes.io/component": "sync",
        "app.kubernetes.io/managed-by": MANAGER,
        SOURCE_LABEL: _fitted(source, _LONGEST_LABEL, of=source),
    }


def _fitted(text: str, longest: int, *, of: str) -> str:
    if len(text) <= longest:
        return text
    digest = hashlib.sha256(of.encode()).hexdigest()[:8]
    return f"{text[: longest - 9].rstrip('-.')}-{digest}"
