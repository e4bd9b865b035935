#!/usr/bin/env python3
"""Runs schemathesis, all checks, against the description that the server itself serves.

    check_openapi.py BINARY [OPTION...]

OPTIONs are handed on to `schemathesis run`. It is installed from its registry into the folder CLIENTS_DIR (default: `clients`
beside the binary's folder) and skipped, with the reason, only when the registry cannot be reached.
"""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

from installed import Failed, Server, Skipped, virtual_environment

HERE = pathlib.Path(__file__).resolve().parent
VERSION = "4.32.5"
START_MS = 1_767_225_600_000


def ask(url, method, path, body=None):
    lines = isinstance(body, str)
    data = None if body is None else (body if lines else json.dumps(body)).encode()
    kind = "application/x-ndjson" if lines else "application/json"
    request = urllib.request.Request(url + path, data=data, method=method, headers={"content-type": kind})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def fill(url):
    """What the description's examples name."""
    properties = {"@timestamp": {"type": "date"}, "service": {"type": "keyword"}, "latency": {"type": "double"}}
    ask(url, "PUT", "/requests", {"mappings": {"properties": properties}})
    documents = []
    for step in range(600):
        value = 100 + step * 31 % 17 + (900 if step == 550 else 0)
        document = {"@timestamp": START_MS + step * 300_000, "service": "search", "latency": value}
        documents.append('{"index":{}}\n' + json.dumps(document) + "\n")
    ask(url, "POST", "/requests/_bulk?refresh=true", "".join(documents))
    detector = {"function": "mean", "field_name": "latency", "partition_field_name": "service"}
    analysis = {"bucket_span": "15m", "detectors": [detector], "influencers": ["service"]}
    job = {"analysis_config": analysis, "data_description": {"time_field": "@timestamp"}}
    ask(url, "PUT", "/_ml/anomaly_detectors/responsetimes", job)
    records = "".join(document.split("\n")[1] + "\n" for document in documents)
    ask(url, "POST", "/_ml/anomaly_detectors/responsetimes/_open")
    ask(url, "POST", "/_ml/anomaly_detectors/responsetimes/_data", records)
    ask(url, "POST", "/_ml/anomaly_detectors/responsetimes/_close")
    ask(url, "PUT", "/_ml/datafeeds/datafeed-responsetimes", {"job_id": "responsetimes", "indices": ["requests"]})
    ask(url, "PUT", "/_ml/filters/quiet", {"items": ["a"]})
    ask(url, "PUT", "/_ml/calendars/releases", {"job_ids": ["responsetimes"]})


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    folder = pathlib.Path(os.environ.get("CLIENTS_DIR", binary.parent.parent / "clients")) / "schemathesis"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        program = virtual_environment(folder, f"schemathesis=={VERSION}") / "schemathesis"
    except Skipped as reason:
        print(f"schemathesis skipped: {reason}")
        print("schemathesis: 0 passed, 0 failed, 1 skipped")
        return 0
    with Server(binary, folder / "server.log") as url:
        fill(url)
        arguments = [program, "--config-file", HERE / "schemathesis.toml", "run", *sys.argv[2:]]
        # Its own files stay out of the project.
        hooks = {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE)}
        done = subprocess.run(
            [*map(str, arguments), f"{url}/api-specs/openapi.json"],
            cwd=folder,
            env={**os.environ, **hooks},
            check=False,
        )
        passed = done.returncode == 0
    print(f"schemathesis: {int(passed)} passed, {int(not passed)} failed")
    return 0 if passed else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, OSError) as failure:
        sys.exit(f"schemathesis: {failure}")
