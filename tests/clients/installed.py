"""What every runner needs: commands, packages from registries, a server of its own."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TIMEOUT_S = 900

# What the tools say when they cannot talk to their registry, as opposed to not finding something there.
OUT_OF_REACH = re.compile(
    "NewConnectionError|ConnectTimeoutError|ReadTimeoutError|Temporary failure in name resolution"
    "|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH"
    "|dial tcp|no such host|i/o timeout|TLS handshake timeout"
    "|UnknownHostException|UnknownHost|Connection timed out|Connection refused|Network is unreachable"
)


class Failed(Exception):
    """A command ended with a failure; the message is what it printed."""


class Skipped(Exception):
    """The client cannot be had here."""


def command(arguments, folder, environment=None):
    """What the command prints."""
    if shutil.which(arguments[0]) is None and not pathlib.Path(arguments[0]).exists():
        raise Failed(f"{arguments[0]} is not installed")
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def install(arguments, folder, environment=None):
    try:
        return command(arguments, folder, environment)
    except Failed as failure:
        found = OUT_OF_REACH.search(str(failure))
        if found:
            raise Skipped(f"the registry is out of reach ({arguments[0]} says: {found.group()})") from failure
        raise


def virtual_environment(folder, package):
    """The folder with the programs of a Python package, installed into an environment of its own."""
    if not (folder / "venv/bin/python").exists():
        command([sys.executable, "-m", "venv", "venv"], folder)
    programs = folder / "venv/bin"
    install([programs / "python", "-m", "pip", "-q", "install", package], folder)
    return programs


class Server:
    """A server with an empty folder and a free port, ended with the block."""

    def __init__(self, binary, log):
        self.binary, self.log = binary, log

    def __enter__(self):
        self.data = tempfile.TemporaryDirectory(prefix="auspex-client-")
        arguments = [self.binary, "serve", "--listen", "127.0.0.1:0", "--data", self.data.name]
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        line = self.process.stdout.readline().strip()
        if not line.startswith("listening on "):
            raise Failed(f"the server did not start: {self.log.read_text()}")
        return line.removeprefix("listening on ")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.data.cleanup()
