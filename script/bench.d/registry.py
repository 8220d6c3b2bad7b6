"""Pushing by the distribution API, with what no sensible client would push."""

import base64
import hashlib
import http.client
import json
import threading
import urllib.parse
import urllib.request

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
PIECE = b"\x5a" * (1 << 20)
PATIENCE = 120


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def bearer(host, token, scopes):
    """The header for what these scopes allow, good for some minutes."""
    basic = base64.b64encode(f"mona:{token}".encode()).decode()
    query = urllib.parse.urlencode([("service", host.partition(":")[0]), *[("scope", scope) for scope in scopes]])
    request = urllib.request.Request(f"http://{host}/token?{query}", headers={"Authorization": f"Basic {basic}"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return "Bearer " + json.load(answer)["token"]


class Registry:
    """One connection for each thread."""

    def __init__(self, url, token, names):
        self.host = urllib.parse.urlsplit(url).netloc
        self.authorization = bearer(self.host, token, [f"repository:{name}:pull,push" for name in names])
        self.local = threading.local()

    def request(self, method, path, body=None, headers=None, wanted=(200, 201, 202)):
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"Authorization": self.authorization, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.local.connection = None
            raise
        if answer.status not in wanted:
            raise http.client.HTTPException(f"{method} {path} answered {answer.status}: {text[:200]!r}")
        return answer

    def get(self, path):
        return self.request("GET", path)

    def missing(self, name):
        return self.request("HEAD", f"/v2/{name}/blobs/{digest(b'missing')}", wanted=(404,))

    def push_blob(self, name, data):
        place = self.request("POST", f"/v2/{name}/blobs/uploads/").getheader("Location")
        mark = "&" if "?" in place else "?"
        headers = {"Content-Type": "application/octet-stream"}
        self.request("PUT", f"{place}{mark}digest={urllib.parse.quote(digest(data))}", data, headers)
        return descriptor(data, LAYER)

    def push_blob_of(self, name, size):
        """The digest of a blob of so many bytes, sent in one stream."""
        place = self.request("POST", f"/v2/{name}/blobs/uploads/").getheader("Location")
        mark = "&" if "?" in place else "?"
        hashed = hashlib.sha256()
        for _ in range(size // len(PIECE)):
            hashed.update(PIECE)
        named = "sha256:" + hashed.hexdigest()
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        pieces = (PIECE for _ in range(size // len(PIECE)))
        self.request("PUT", f"{place}{mark}digest={urllib.parse.quote(named)}", pieces, headers)
        return named

    def put(self, name, reference, manifest, kind):
        self.request("PUT", f"/v2/{name}/manifests/{reference}", manifest, {"Content-Type": kind})

    def push_image(self, name, tags):
        """The bytes of the manifest of a small image."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
        manifest = image(self.config(name, config.encode()), [self.push_blob(name, b"layer of " + name.encode())])
        for tag in tags:
            self.put(name, tag, manifest, MANIFEST)
        return manifest

    def tag(self, name, tag, manifest):
        self.put(name, tag, manifest, MANIFEST)

    def config(self, name, config):
        return {**self.push_blob(name, config), "mediaType": CONFIG}

    def push_large_child(self, name):
        """A manifest of 3.6 MB: one layer, named as often as a manifest may name anything."""
        layer = {**self.push_blob(name, b"layer of " + name.encode()), "annotations": {"padding": "x" * 220}}
        config = self.config(name, json.dumps({"architecture": "arm64", "os": "linux"}).encode())
        manifest = image(config, [layer] * 9_500)
        self.put(name, digest(manifest), manifest, MANIFEST)
        return manifest

    def push_index(self, name, tag, child, times):
        """An index that lists one child so many times."""
        entry = {**descriptor(child, MANIFEST), "platform": {"architecture": "arm64", "os": "linux"}}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] * times}
        self.put(name, tag, json.dumps(index).encode(), INDEX)


def descriptor(data, kind):
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}


def image(config, layers):
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    return json.dumps(manifest).encode()
