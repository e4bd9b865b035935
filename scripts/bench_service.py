#!/usr/bin/env python3
"""CPU seconds of the service for a million documents: ingest through `_bulk`, then a raw datafeed over three fields.

The documents are {@timestamp, host (1,000), status, value, message}, one each 864 ms over ten days, in bulks of 5,000, each
on disk before it is acknowledged. CPU is that of the processes of the service and, with a server, of that, from /proc.
Usage: bench_service.py BINARY [SERVER]: without a server on the embedded store, with one (opensearch3, elasticsearch, ...: see
tests/live/server/start.sh) the documents pass through the service to that server, and the datafeed reads them there.
BENCH_DOCUMENTS: how many (default 1000000); BENCH_HOSTS: in so many series (default 1000). AUSPEX_STORE_PUSH_DOWN=true|false
reaches the service.
"""
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

DOCUMENTS = int(os.environ.get("BENCH_DOCUMENTS", 1_000_000))
HOSTS = int(os.environ.get("BENCH_HOSTS", 1000))
SERVERS = pathlib.Path(__file__).parent.parent / "tests" / "live" / "server"
BULK = 5_000
START_MS = 1_750_000_000_000 // 900_000 * 900_000
STEP_MS = 864


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """A real server, or none."""

    def __init__(self, kind, folder):
        self.url, self.pid = None, None
        if kind:
            environment = {**os.environ, "SEARCH_CDS": "0", "SEARCH_HEAP": "1g"}
            command = [SERVERS / "start.sh", kind, "19777", folder]
            started = subprocess.run(command, env=environment, capture_output=True, text=True)
            if started.returncode != 0:
                print(f"{kind} is skipped: {started.stderr.strip()}")
                sys.exit(0)
            lines = dict(line.split("=", 1) for line in started.stdout.split())
            self.url, self.pid = lines["url"], int(lines["pid"])

    def cpu_s(self):
        return cpu_s(self.pid) if self.pid else 0.0

    def stop(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)


class Service:
    def __init__(self, binary, folder, server):
        store = ["--store", server.url] if server.url else ["--data", folder]
        command = [binary, "serve", "--listen", "127.0.0.1:0", *store]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        told = self.process.stdout.readline().strip()
        if "http://" not in told:
            self.stop()
            sys.exit(f"the service did not start: {told!r}")
        address = told.rsplit("http://", 1)[1]
        self.connection = http.client.HTTPConnection(address)

    def ask(self, method, path, body=None, kind="application/json"):
        self.connection.request(method, path, body, {"content-type": kind})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text)

    def cpu_s(self):
        return cpu_s(self.process.pid)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def bulks():
    lines = []
    for n in range(DOCUMENTS):
        lines.append('{"create":{}}')
        lines.append(
            f'{{"@timestamp":{START_MS + n * STEP_MS},"host":"host-{n * 7919 % HOSTS:04}","status":{200 + n % 5},'
            f'"value":{50 + n * 31 % 1000 / 100},"message":"request {n} served from cache in {n % 97} ms by worker {n % 16}"}}'
        )
        if len(lines) == 2 * BULK:
            yield "\n".join(lines) + "\n"
            lines.clear()


def ingest(service):
    mapping = {"@timestamp": "date", "host": "keyword", "status": "integer", "value": "double", "message": "text"}
    properties = {name: {"type": kind} for name, kind in mapping.items()}
    service.ask("PUT", "/docs", json.dumps({"mappings": {"properties": properties}}))
    wall = 0.0
    for body in bulks():
        started = time.monotonic()
        if service.ask("POST", "/docs/_bulk?filter_path=errors", body, "application/x-ndjson") != {"errors": False}:
            sys.exit("a bulk had errors")
        wall += time.monotonic() - started
    service.ask("POST", "/docs/_refresh")
    return wall


def feed(service):
    job = {
        "analysis_config": {"bucket_span": "15m", "influencers": ["status"],
                            "detectors": [{"function": "mean", "field_name": "value", "partition_field_name": "host"}]},
        "data_description": {"time_field": "@timestamp"},
    }
    service.ask("PUT", "/_ml/anomaly_detectors/bench", json.dumps(job))
    feed = {"job_id": "bench", "indices": ["docs"], "scroll_size": 10000}
    service.ask("PUT", "/_ml/datafeeds/bench", json.dumps(feed))
    service.ask("POST", "/_ml/anomaly_detectors/bench/_open")
    started = time.monotonic()
    service.ask("POST", f"/_ml/datafeeds/bench/_start?start=0&end={START_MS + DOCUMENTS * STEP_MS}")
    while service.ask("GET", "/_ml/anomaly_detectors/bench/_stats")["jobs"][0]["state"] != "closed":
        time.sleep(0.2)
    wall = time.monotonic() - started
    counts = service.ask("GET", "/_ml/anomaly_detectors/bench/_stats")["jobs"][0]["data_counts"]
    if counts["processed_record_count"] != DOCUMENTS:
        sys.exit(f"not all documents were analysed: {counts}")
    return wall


def main():
    kind = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(kind, folder)
        try:
            measure(Service(sys.argv[1], folder, server), server, kind or "embedded")
        finally:
            server.stop()


def measure(service, server, name):
    try:
        for what, work in [("ingest through _bulk", ingest),
                           ("datafeed, 3 fields, modelling and results included", feed)]:
            before, before_there = service.cpu_s(), server.cpu_s()
            wall = work(service)
            report(f"{name}: {what}", wall, service.cpu_s() - before, server.cpu_s() - before_there)
    finally:
        service.stop()


def report(what, wall, cpu, cpu_there):
    there = f" + {cpu_there:.2f} s in the server" if cpu_there else ""
    print(f"{what:70} {cpu:7.2f} s CPU{there} {wall:7.2f} s wall {DOCUMENTS / cpu:12,.0f} documents/CPU-s of the service, "
          f"{DOCUMENTS / wall:,.0f} documents/s")


main()
