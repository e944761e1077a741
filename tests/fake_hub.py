"""The Hugging Face hub in miniature: what its client asks to list and fetch models and data sets, answered.

It follows the published API: information on a repository at a revision, the tree of its files, paths of it,
and files by their revision with their commit and ETag; and errors by the codes in ``X-Error-Code``.
"""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class FakeHub:
    """A hub that runs on a free port of this machine; use it in a ``with``.

    ``repositories`` are file trees ``{path: bytes}`` by ``models/owner/name`` or ``datasets/owner/name``;
    each has one commit, which is also the branch main, and ``tags``. Repositories in ``gated`` are refused.
    """

    def __init__(self, repositories, tags=(), gated=()):
        self.repositories = repositories
        self.tags = tags
        self.gated = gated
        self.requests = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.002,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def commit(self, repository):
        """The commit of a repository: a hash of its files."""
        files = self.repositories[repository]
        digest = hashlib.sha1(repository.encode())
        for path in sorted(files):
            digest.update(path.encode() + files[path])
        return digest.hexdigest()

    def fetched(self):
        """The paths of files that were fetched, as often as they were."""
        return [path for method, path in self.requests if method == "GET" and "/resolve/" in path]

    def answer(self, path, query="", body=b""):
        """Return status, headers and body for a request."""
        if found := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(/.*)?", path):
            kind, name, rest = found.groups()
            repository = f"{kind}/{name}"
            return self.checked(repository, lambda: self.described(repository, rest or "", query, body))
        if found := re.fullmatch(r"/(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            kind, name, revision, file = found.groups()
            repository = f"{kind or 'models'}/{name}"
            return self.checked(repository, lambda: self.file(repository, revision, file))
        return error(404, "EntryNotFound", f"no such path {path}")

    def checked(self, repository, answer):
        if repository in self.gated:
            return error(403, "GatedRepo", "Access to this repository is restricted")
        if repository not in self.repositories:
            return error(401, "RepoNotFound", "Repository not found")
        return answer()

    def described(self, repository, rest, query, body):
        parts = rest.strip("/").split("/", 2) if rest else ["revision", "main"]
        revision = parts[1] if len(parts) > 1 else "main"
        if revision not in (self.commit(repository), "main", *self.tags):
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        entries = [entry(path, data) for path, data in sorted(self.repositories[repository].items())]
        match parts[0]:
            case "revision":
                siblings = [{"rfilename": e["path"], "size": e["size"], "blobId": e["oid"]} for e in entries]
                sha = self.commit(repository)
                name = repository.split("/", 1)[1]
                return answer_json(
                    {
                        "id": name,
                        "_id": sha,
                        "sha": sha,
                        "siblings": siblings,
                        "private": False,
                        "gated": False,
                        "disabled": False,
                        "tags": [],
                        "downloads": 0,
                        "likes": 0,
                    }
                )
            case "tree":
                folder = f"{parts[2].strip('/')}/" if len(parts) > 2 else ""
                below = [one for one in entries if one["path"].startswith(folder)]
                if not below:
                    return error(404, "EntryNotFound", f"{folder} does not exist")
                return answer_json(below if "recursive=true" in query.lower() else listed(below, folder))
            case "paths-info":
                wanted = paths_of(body)
                return answer_json([e for e in entries if e["path"] in wanted])
        return error(404, "EntryNotFound", f"no such path {rest}")

    def file(self, repository, revision, path):
        if revision not in (self.commit(repository), "main", *self.tags):
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        data = self.repositories[repository].get(path)
        if data is None:
            return error(404, "EntryNotFound", f"Entry not found: {path}")
        headers = {
            "ETag": f'"{oid(data)}"',
            "X-Repo-Commit": self.commit(repository),
            "Accept-Ranges": "bytes",
        }
        return 200, headers, data


def listed(entries, folder):
    """The files of a folder, and the folders in it."""
    files = [one for one in entries if "/" not in one["path"].removeprefix(folder)]
    inner = {one["path"].removeprefix(folder).split("/")[0] for one in entries if one not in files}
    return files + [
        {"type": "directory", "path": folder + name, "size": 0, "oid": ""} for name in sorted(inner)
    ]


def oid(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def entry(path, data):
    return {"type": "file", "path": path, "size": len(data), "oid": oid(data)}


def paths_of(body):
    """The paths in the body of a request, which is JSON or a form."""
    try:
        return set(json.loads(body)["paths"])
    except ValueError:
        return {unquote(part.split("=", 1)[1].replace("+", " ")) for part in body.decode().split("&") if part}


def answer_json(value):
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def error(status, code, message):
    return status, {"X-Error-Code": code, "X-Error-Message": message}, json.dumps({"error": message}).encode()


def handler_of(hub):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.handle_one("HEAD")

        def do_GET(self):
            self.handle_one("GET")

        def do_POST(self):
            self.handle_one("POST")

        def handle_one(self, method):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            path = unquote(parts.path)
            hub.requests.append((method, path))
            status, headers, data = hub.answer(path, parts.query, body)
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if status == 200 and wanted:
                first, last = int(wanted[1]), int(wanted[2] or len(data) - 1)
                headers = {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"}
                status, data = 206, data[first : last + 1]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if method != "HEAD":
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    return Handler
