#!/usr/bin/env python3
"""CPU seconds of the service for a million documents: ingest through `_bulk`, then a raw datafeed over three fields.

The documents are {@timestamp, host (1,000), status, value, message}, one each 864 ms over ten days, in bulks of 5,000, each
on disk before it is acknowledged. CPU is that of the service's process alone, from /proc. Usage: bench_service.py BINARY
"""
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time

DOCUMENTS = 1_000_000
BULK = 5_000
START_MS = 1_750_000_000_000 // 900_000 * 900_000
STEP_MS = 864


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Service:
    def __init__(self, binary, folder):
        command = [binary, "serve", "--listen", "127.0.0.1:0", "--data", folder]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        address = self.process.stdout.readline().strip().rsplit("http://", 1)[1]
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


def bulks():
    lines = []
    for n in range(DOCUMENTS):
        lines.append('{"create":{}}')
        lines.append(
            f'{{"@timestamp":{START_MS + n * STEP_MS},"host":"host-{n * 7919 % 1000:04}","status":{200 + n % 5},'
            f'"value":{50 + n * 31 % 1000 / 100},"message":"request {n} served from cache in {n % 97} ms by worker {n % 16}"}}'
        )
        if len(lines) == 2 * BULK:
            yield "\n".join(lines) + "\n"
            lines.clear()


def main():
    with tempfile.TemporaryDirectory() as folder:
        service = Service(sys.argv[1], folder)
        mapping = {"@timestamp": "date", "host": "keyword", "status": "integer", "value": "double", "message": "text"}
        service.ask("PUT", "/docs", json.dumps({"mappings": {"properties": {k: {"type": t} for k, t in mapping.items()}}}))
        before, wall = service.cpu_s(), 0.0
        for body in bulks():
            started = time.monotonic()
            if service.ask("POST", "/docs/_bulk?filter_path=errors", body, "application/x-ndjson") != {"errors": False}:
                sys.exit("a bulk had errors")
            wall += time.monotonic() - started
        report("ingest through _bulk", service.cpu_s() - before, wall)
        job = {
            "analysis_config": {"bucket_span": "15m", "influencers": ["status"],
                                "detectors": [{"function": "mean", "field_name": "value", "partition_field_name": "host"}]},
            "data_description": {"time_field": "@timestamp"},
        }
        service.ask("PUT", "/_ml/anomaly_detectors/bench", json.dumps(job))
        service.ask("PUT", "/_ml/datafeeds/bench", json.dumps({"job_id": "bench", "indices": ["docs"], "scroll_size": 10000}))
        service.ask("POST", "/_ml/anomaly_detectors/bench/_open")
        before, started = service.cpu_s(), time.monotonic()
        service.ask("POST", f"/_ml/datafeeds/bench/_start?start=0&end={START_MS + DOCUMENTS * STEP_MS}")
        while service.ask("GET", "/_ml/anomaly_detectors/bench/_stats")["jobs"][0]["state"] != "closed":
            time.sleep(0.05)
        counts = service.ask("GET", "/_ml/anomaly_detectors/bench/_stats")["jobs"][0]["data_counts"]
        if counts["processed_record_count"] != DOCUMENTS:
            sys.exit(f"not all documents were analysed: {counts}")
        report("datafeed, 3 fields, modelling and results included", service.cpu_s() - before, time.monotonic() - started)
        service.process.terminate()
        service.process.wait()


def report(what, cpu, wall):
    print(f"{what:55} {cpu:7.2f} s CPU {wall:7.2f} s wall {DOCUMENTS / cpu:12,.0f} documents/CPU-s")


main()
