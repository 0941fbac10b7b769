"""A worker in Python: takes events from a server that was started with `eventful serve --pull`, and settles them.

    python3 worker.py http://127.0.0.1:8080 [COUNT]

Ends after COUNT events; without it, never. EVENTFUL_TOKEN is the token, when the server asks for one. It needs nothing
but Python's standard library.
"""

import base64
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request


def call(url, body):
    """Posts JSON, and returns the status and the JSON of the response."""
    headers = {"content-type": "application/json"}
    if token := os.environ.get("EVENTFUL_TOKEN"):
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    try:
        # Longer than the server waits for events.
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except http.client.HTTPException as error:
        raise OSError(f"the response is not whole: {error!r}") from error


def payload(event):
    """The payload of an event, as bytes."""
    if event["payload_encoding"] == "base64":
        return base64.b64decode(event["payload"])
    return event["payload"].encode()


def handle(event):
    """Works on one event. An exception is tried again; what can never succeed raises ValueError."""
    data = payload(event)
    if data == b"never":
        raise ValueError("this can never succeed")
    print(f"{event['id']} (attempt {event['attempt']}): {len(data)} bytes", flush=True)


def outcome(event):
    """What became of this event, as the server reads it."""
    try:
        handle(event)
        return {"outcome": "done"}
    except ValueError as error:
        return {"outcome": "permanent", "error": str(error)}
    except Exception as error:
        return {"outcome": "retry", "error": str(error)}


def settle(server, event, result):
    """Says what became of an event, until the server has it or the run no longer counts."""
    while True:
        try:
            status, answer = call(f"{server}/v1/runs/{event['run']}/settle", result)
        except OSError as error:
            status, answer = None, {"detail": str(error)}
        if status == 200:
            return
        print(f"{event['id']}: {answer['detail']}", file=sys.stderr)
        if status == 409:
            # It took longer than its deadline, or an operator has discarded it: another run may have it now.
            return
        # Down, restarting or overloaded. Sent again it changes nothing a second time: then it is 409.
        time.sleep(1)


def work(server, count):
    """Takes events and settles them until there were as many as that."""
    settled = 0
    while count is None or settled < count:
        try:
            status, leased = call(f"{server}/v1/lease", {"max": 10, "wait": "20s"})
        except OSError as error:
            print(f"the server cannot be reached: {error}", file=sys.stderr)
            status, leased = None, {}
        if status != 200:
            # Down, restarting or overloaded: come back later.
            time.sleep(1)
            continue
        for event in leased["events"]:
            settle(server, event, outcome(event))
            settled += 1


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
