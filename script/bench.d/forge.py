"""The small forge, steered by its `/_control`."""

import hashlib
import hmac
import json
import urllib.request
import uuid


class Forge:
    def __init__(self, url):
        self.url = url

    def control(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_control{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def commit(self, repository, files, quiet):
        """The hash of a new commit on main; a quiet one sends no webhook."""
        body = {"files": files, "message": "Change for a measurement", "quiet": quiet}
        return self.control(f"/repositories/{repository}/commits", body)["sha"]

    def last_push(self):
        """The body of the newest push event that was sent."""
        sent = self.control("/deliveries")["deliveries"]
        return json.loads([one for one in sent if one["event"] == "push"][-1]["payload"])

    def hook(self, repository):
        return self.control(f"/repositories/{repository}")["hooks"][0]


def signed_push(hook, template, before, after):
    """The request that GitHub would make for one commit more, ready to be sent."""
    body = {**template, "before": before, "after": after, "created": False}
    body["head_commit"] = {**template["head_commit"], "id": after}
    raw = json.dumps(body).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(hook["secret"].encode(), raw, hashlib.sha256).hexdigest(),
    }
    return urllib.request.Request(hook["url"], raw, headers)
