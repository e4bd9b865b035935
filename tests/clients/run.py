#!/usr/bin/env python3
"""Runs every official client's scenario, each against a server of its own.

    run.py BINARY [NAME...]

BINARY is the built `auspex`. NAME picks clients (`python-7`, `go`, ...); without any, all run. The clients are installed
from their registries, unmodified and in the versions named below, into the folder CLIENTS_DIR (default: `clients`
beside the binary's folder). A client is skipped, with the reason, only when its registry cannot be reached.
"""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import time

from installed import Failed, Server, Skipped, command, install, virtual_environment

HERE = pathlib.Path(__file__).resolve().parent


class Python:
    def __init__(self, version):
        self.version = version

    def prepare(self, folder):
        python = virtual_environment(folder, f"elasticsearch=={self.version}") / "python"
        return [python, HERE / "python/scenario.py"]


class JavaScript:
    def __init__(self, version):
        self.version = version

    def prepare(self, folder):
        (folder / "package.json").write_text('{"private": true}\n')
        quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
        install(["npm", "install", *quiet, f"@elastic/elasticsearch@{self.version}"], folder)
        return ["node", HERE / "javascript/scenario.mjs"]


class Go:
    """The version stands in go.mod."""

    version = ""

    def prepare(self, folder):
        for name in ("go.mod", "go.sum", "main.go"):
            shutil.copy(HERE / "go" / name, folder / name)
        install(["go", "mod", "download"], folder)
        # Without optimisation: the typed API is large, and its speed is not what is tested.
        command(["go", "build", "-gcflags=all=-N -l", "-o", "scenario", "."], folder)
        return [folder / "scenario"]


class Java:
    def __init__(self, version):
        self.version = version

    def prepare(self, folder):
        shutil.copy(HERE / "java/pom.xml", folder / "pom.xml")
        resolve = ["dependency:build-classpath", "-Dmdep.outputFile=classpath"]
        install(["mvn", "-q", "-B", f"-Dclient.version={self.version}", *resolve], folder)
        return ["java", "-cp", (folder / "classpath").read_text().strip(), HERE / "java/Scenario.java"]


CLIENTS = {
    "go": Go(),
    "java": Java("9.5.6"),
    "python-7": Python("7.17.13"),
    "python-8": Python("8.19.3"),
    "python-9": Python("9.5.1"),
    "javascript-8": JavaScript("8.19.2"),
    "javascript-9": JavaScript("9.5.1"),
}


def run(name, binary, folder):
    """`passed`, `failed` or `skipped`; what is printed comes in one piece."""
    client, began = CLIENTS[name], time.monotonic()
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    outcome = "failed"
    try:
        arguments = client.prepare(folder)
        installed = time.monotonic()
        with Server(binary, log) as url:
            environment = {"AUSPEX_URL": url, "CLIENT_VERSION": client.version, "NO_PROXY": "127.0.0.1"}
            text = command(arguments, folder, environment)
        outcome = "passed"
        text += f"  {installed - began:.0f} s to install, {time.monotonic() - installed:.0f} s to run\n"
    except Skipped as reason:
        outcome, text = "skipped", f"  {reason}\n"
    except (Failed, subprocess.TimeoutExpired, OSError) as failure:
        text = f"  {failure}\n"
        if log.exists():
            text += "".join(f"  server: {line}\n" for line in log.read_text().splitlines()[-20:])
    print(f"{name} {outcome}\n{text}", end="", flush=True)
    return outcome


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    names = sys.argv[2:] or list(CLIENTS)
    folder = pathlib.Path(os.environ.get("CLIENTS_DIR", binary.parent.parent / "clients"))
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        outcomes = list(pool.map(lambda name: run(name, binary, folder), names))
    count = outcomes.count
    print(f"clients: {count('passed')} passed, {count('failed')} failed, {count('skipped')} skipped")
    sys.exit(1 if count("failed") else 0)


main()
