"""A builder that builds nothing and sends a log: a plain one, or one as large and as styled as it can."""

import json
import time
import urllib.error
import urllib.request

# The styles of a line end one another, so that each letter is an element of its own.
STYLED = "\x1b[1;31ma\x1b[0m\x1b[32m\u202e" * 2_900
LINES_AT_ONCE = 30
PLAIN_LINES_AT_ONCE = 500
HEARTBEAT_SECS = 5


def line(number, text):
    return {"t": "line", "step": 1, "line": number, "stream": "out", "at": 1, "text": text}


class Builder:
    def __init__(self, url, token):
        self.url = url
        self.token = token
        self.attempt = None
        self.sent = 0

    def post(self, what, body):
        raw = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.url}/builder/v1/{what}", raw, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def claim(self):
        """Waits for a build; from then on this builder speaks for its attempt."""
        ask = {"version": 2, "builder": "siege", "platforms": ["linux/amd64"], "slots": 1, "wait_secs": 30}
        work = self.post("claim", {**ask, "unable": None})
        self.attempt, self.token = work["attempt_id"], work["attempt_token"]

    def records(self, records):
        body = {"first": self.sent + 1, "records": records}
        self.sent += len(records)
        return self.post(f"attempts/{self.attempt}/records", body)

    def flood(self, total):
        """The bytes of text that were sent, and the server's word if it ended the log before."""
        name = "[1/1] RUN print"
        self.records([{"t": "step_started", "step": 1, "vertex": "", "name": name, "at": 1}])
        taken, printed, beat = 0, 0, time.monotonic()
        while taken < total:
            batch = [line(printed + turn + 1, STYLED) for turn in range(LINES_AT_ONCE)]
            printed += LINES_AT_ONCE
            answer = self.records(batch)
            taken += LINES_AT_ONCE * len(STYLED.encode())
            if answer.get("ended"):
                return taken, answer["ended"]
            if time.monotonic() - beat > HEARTBEAT_SECS:
                self.post(f"attempts/{self.attempt}/heartbeat", {})
                beat = time.monotonic()
        return taken, None

    def print(self, lines):
        """Plain lines, as a compiler prints them."""
        self.records([{"t": "step_started", "step": 1, "vertex": "", "name": "[1/1] RUN make", "at": 1}])
        for first in range(1, lines + 1, PLAIN_LINES_AT_ONCE):
            numbers = range(first, min(first + PLAIN_LINES_AT_ONCE, lines + 1))
            self.records([line(number, f"   Compiling something-or-other v1.0.{number}") for number in numbers])

    def finish(self):
        """The attempt failed, as attempts do."""
        why = {"outcome": "failed", "reason": "other", "message": "it failed"}
        why |= {"exit_code": None, "vertex": None, "location": None}
        self.post(f"attempts/{self.attempt}/finish", {"outcome": why, "last_record": self.sent})
