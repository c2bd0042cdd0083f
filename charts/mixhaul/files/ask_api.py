"""Asks the API as a caller would: for its description, without a token, and with one where we can make one."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

PATIENCE_SECONDS = 60
url = sys.argv[1]


def ask(path, token=None):
    """Status and text; a server that is not there yet, or not well yet, is waited for."""
    request = urllib.request.Request(url + path, headers={"Authorization": "Bearer " + token} if token else {})
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code < 500 or time.monotonic() > until:
                return error.code, error.read().decode()
        except OSError as error:
            if time.monotonic() > until:
                sys.exit(f"{url}{path}: {error}")
        time.sleep(1)


def expect(path, wanted, token=None):
    status, text = ask(path, token)
    if status != wanted:
        sys.exit(f"{url}{path} answered {status} instead of {wanted}: {text[:500]}")
    print(f"{path} answers {status}", flush=True)
    return text


if json.loads(expect("/openapi.json", 200))["info"]["title"] != "Mixhaul":
    sys.exit(f"{url} is something else than Mixhaul's API")
expect("/api/status", 401)
if os.environ.get("MIXHAUL_JWT_KEY_FILE"):
    command = ["mixhaul-api", "token", "--organisation", "1"]
    expect("/api/status", 200, subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip())
print("The API answers.")
