"""The MixSource and its Secret that fit a running simulator, as `kubectl apply` and the ingestor take them."""

from __future__ import annotations

import json
from math import ceil

from mixhaul_simulator.settings import Settings


def text(settings: Settings, *, url: str, name: str = "simulador") -> str:
    """Two YAML documents. Texts are quoted as JSON strings, which YAML reads as they are."""
    account = settings.account
    pause = ceil(settings.pause_seconds)
    quoted = json.dumps
    return f"""\
# A simulated MiX: plain http, so `insecure: true`; everything else is as with a real account.
apiVersion: mixhaul.io/v1alpha1
kind: MixSource
metadata:
  name: {name}
spec:
  endpoint:
    apiURL: {quoted(url)}
    identityURL: {quoted(url + "/core")}
    insecure: true
  secretRef:
    name: {name}
  stream:
    periodSeconds: {max(1, pause)}
  rateLimit:
    requestsPerMinute: {settings.requests_per_minute}
    pauseSeconds: {pause}
---
apiVersion: v1
kind: Secret
metadata:
  name: {name}
type: Opaque
stringData:
  clientID: {quoted(account.client_id)}
  clientSecret: {quoted(account.client_secret)}
  username: {quoted(account.username)}
  password: {quoted(account.password)}
"""
