"""The web service of infini-gram in miniature: the documented answers, really counted, and its troubles.

It follows the published sources of the service (the parsing of queries, the errors, the statuses) and of its
engine (sampling above the limit of a shard, the whole part of the ratio as the factor, places of the rarer
side of each shard, and the border of documents).
"""

import contextlib
import json
import re
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from waiting import HANGS

KNOWN = "v4_test_llama"


def tokens_of(text):
    """Words and single marks: "Guinea-Bissau" begins with the tokens of "Guinea"."""
    return re.findall(r"\w+|[^\w\s]", text)


class Trickle:
    """Bytes that are sent in pieces, with a pause in seconds after each."""

    def __init__(self, *pieces, pause=0.1):
        self.pieces = pieces
        self.pause = pause


def whole(body, *headers, status="200 OK"):
    """The bytes of an answer with this body, with more headers as they stand."""
    head = [f"HTTP/1.1 {status}".encode(), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


class FakeInfinigram:
    """A running service over shards of documents, on a free port of this machine; use it in a ``with``.

    ``troubles`` holds one entry for each of the next requests: a status, a pair of a status and headers or a
    text, "slow", "drop", "broken", a dictionary to answer, bytes to send as they are, a `Trickle` of
    bytes, or None for a good answer. ``gap`` is the number of tokens of other documents between any two;
    ``finds`` says whether find queries are answered.
    """

    def __init__(self, shards, finds=True, gap=2000, indexes=(KNOWN,)):
        self.shards = [[tokens_of(document) for document in shard] for shard in shards]
        self.finds = finds
        self.indexes = indexes
        self.gap = gap
        self.troubles = deque()
        self.requests = []
        self.ids = {}
        self.closing = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"fake": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.002,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def queries(self):
        return [request["query"] for request in self.requests]

    def answer(self, request):
        """Return status and answer to a request."""
        kind, query = request.get("query_type"), request.get("query")
        if request.get("index") not in self.indexes:
            return 400, {"error": f"[Flask] Invalid index: {request.get('index')}"}
        if kind not in ("count", "find") or (kind == "find" and not self.finds):
            return 400, {"error": f"[Flask] Invalid query_type: {kind}"}
        if len(query) > 1000:
            return 200, {"error": "Please limit your input to <= 1000 characters!"}
        options = {key: request[key] for key in request if key.startswith("max_")}
        if " AND " not in query and " OR " not in query:
            return self.plain(kind, tokens_of(query), options)
        clauses = [[tokens_of(term) for term in part.split(" OR ")] for part in query.split(" AND ")]
        return self.cnf(clauses, **{"max_clause_freq": 50_000, "max_diff_tokens": 100} | options)

    def plain(self, kind, term, options):
        if options:
            name = next(iter(options))
            return 500, {
                "error": f"[Flask] Internal server error: count() got an unexpected keyword argument '{name}'"
            }
        found = [len(places(shard, [term], self.gap)) for shard in self.shards]
        shared = {"token_ids": self.token_ids(term), "tokens": term, "latency": 0.1}
        if kind == "find":
            return 200, {"cnt": sum(found), "segment_by_shard": [[7, 7 + n] for n in found]} | shared
        return 200, {"count": sum(found), "approx": False} | shared

    def cnf(self, clauses, max_clause_freq, max_diff_tokens):
        if len(clauses) > 4:
            return 200, {"error": "Please enter at most 4 disjunctive clauses!"}
        if any(len(clause) > 4 for clause in clauses):
            return 200, {"error": "Please enter at most 4 terms in each disjunctive clause!"}
        if sum(len(term) for clause in clauses for term in clause) > 500:
            return 200, {"error": "Please limit your input to <= 500 tokens!"}
        for name, value, most in (
            ("max_clause_freq", max_clause_freq, 500_000),
            ("max_diff_tokens", max_diff_tokens, 1000),
        ):
            if not (type(value) is int and 0 < value <= most):
                return 200, {"error": f"{name} must be an integer in [1, {most}]!"}
        limit = -(-max_clause_freq // len(self.shards))
        found = [anchored(shard, clauses, limit, max_diff_tokens, self.gap) for shard in self.shards]
        return 200, {
            "count": sum(count for count, _ in found),
            "approx": any(factor != 1 for _, factor in found),
            "token_ids": [[self.token_ids(term) for term in clause] for clause in clauses],
            "tokens": clauses,
            "latency": 0.1,
        }

    def token_ids(self, term):
        return [self.ids.setdefault(token, len(self.ids) + 1) for token in term]


def places(shard, clause, gap):
    """The (place, document) of every match of every term, as often as terms begin there."""
    found, offset = [], 0
    for number, document in enumerate(shard):
        for term in clause:
            found += [
                (offset + start, number)
                for start in range(len(document) - len(term) + 1)
                if document[start : start + len(term)] == term
            ]
        offset += len(document) + gap + 1
    return found


def sampled(found, limit):
    """The first matches up to the limit, and the whole part of how many there are for each of them."""
    kept = found[:limit]
    return sorted(kept), len(found) // len(kept) if kept else 1


def anchored(shard, clauses, limit, window, gap):
    """Places of the rarer clause near the other one, scaled, and the factor they were scaled by."""
    found = sorted((places(shard, clause, gap) for clause in clauses), key=len)
    (rare, first), (other, second) = (sampled(matches, limit) for matches in found)
    count = 0
    for place, document in rare:
        left = max((match for match in other if match[0] < place), default=None)
        right = min((match for match in other if match[0] >= place), default=None)
        near = [match for match in (left, right) if match and abs(match[0] - place) <= window]
        count += bool(near) and all(match[1] == document for match in near)
    return count * first * second, first * second


class Handler(BaseHTTPRequestHandler):
    """Answers one request for the service in ``fake``."""

    fake = None

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.fake.requests.append(request)
        trouble = self.fake.troubles.popleft() if self.fake.troubles else None
        match trouble:
            case None:
                status, answer = self.fake.answer(request)
                self.send(status, json.dumps(answer).encode())
            case "slow":
                self.fake.closing.wait(HANGS)
            case "drop":
                self.connection.close()
            case "broken":
                self.send(200, b'{"count": 12, "app')
            case bytes() | Trickle():
                self.send_as_it_is(trouble)
            case dict() | list():
                self.send(200, json.dumps(trouble).encode())
            case (status, str() as text):
                self.send(status, json.dumps({"error": text}).encode())
            case (status, headers):
                self.send(status, b"<html>no</html>", headers)
            case status:
                self.send(status, b"<html>no</html>")

    def do_GET(self):
        self.send(405, b"<html>no</html>")

    def send(self, status, body, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_as_it_is(self, trouble):
        """Write bytes to the connection, for whoever tries HTTP itself, and end it."""
        self.close_connection = True
        pieces, pause = ([trouble], 0) if isinstance(trouble, bytes) else (trouble.pieces, trouble.pause)
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.wfile.write(piece)
                if pause and self.fake.closing.wait(pause):
                    break

    def log_message(self, *_):
        pass
