"""Asks the API as a caller would: its description, a question without a token, and one with where we can make one."""

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
    headers = {"Authorization": "Bearer " + token} if token else {}
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url + path, headers=headers), timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code < 500 or time.monotonic() > until:
                return error.code, json.load(error)
        except OSError as error:
            if time.monotonic() > until:
                sys.exit("{}{}: {}".format(url, path, error))
        time.sleep(1)


def expect(path, wanted, token=None):
    status, body = ask(path, token)
    if status != wanted:
        sys.exit("{}{} answered {} instead of {}: {}".format(url, path, status, wanted, body))
    print("{} answers {}".format(path, status), flush=True)
    return body


title = expect("/openapi.json", 200)["info"]["title"]
if title != "Mixhaul":
    sys.exit("{} is not Mixhaul's API but {}".format(url, title))
expect("/api/status", 401)
if os.environ.get("MIXHAUL_JWT_KEY_FILE"):
    made = subprocess.run(
        ["mixhaul-api", "token", "--organisation", "1"], stdout=subprocess.PIPE, check=True, universal_newlines=True
    )
    expect("/api/status", 200, made.stdout.strip())
print("The API answers.")
