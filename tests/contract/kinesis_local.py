"""Starts kinesis-local, an independent emulator in JavaScript, so that ours cannot drift into agreeing with us."""

import fcntl
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

VERSION = "0.6.2"
# What the registry published under that version; npm checks it while installing.
INTEGRITY = "sha512-mFlmksPMQP/A3nT22N2E8WzUbJcbEdxkCnhNCx2lHj20CW4vzuVH8zn5ByRg5LS5es8tvnx2mY1DpbZ5kw9PPQ=="
CACHE = Path(__file__).resolve().parents[2] / "build" / f"kinesis-local-{VERSION}"
PLAIN_PORT, TLS_PORT = 4568, 4567
START_SECONDS = 60.0

# kinesis-local listens on every interface, at ports that may be taken. Loaded before it, this puts each
# listener on a free port of 127.0.0.1, and says on the descriptor ANNOUNCE which one stands for the port asked for.
PRELOAD = """\
"use strict";
const { writeSync } = require("node:fs");
const { Server } = require("node:net");
const announce = Number(process.env.ANNOUNCE);
// It ends with the tests, however they end.
process.stdin.on("end", () => process.exit(0)).resume();
const original = Server.prototype.listen;
Server.prototype.listen = function (...given) {
  const first = given[0];
  const asked = Number(first !== null && typeof first === "object" ? first.port : first);
  const ready = given.filter((one) => typeof one === "function");
  this.once("listening", () => writeSync(announce, JSON.stringify({ asked, port: this.address().port }) + "\\n"));
  return original.call(this, { host: "127.0.0.1", port: 0 }, ...ready);
};
"""


class Missing(Exception):
    """What it needs is not on this machine."""


def installed() -> Path:
    """The program, installed into the cache if it is not there yet."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Missing("needs node and npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    program = CACHE / "node_modules" / "kinesis-local" / "main.js"
    with (CACHE / "lock").open("w") as lock:
        # Test processes that start at once install it once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        (CACHE / "preload.cjs").write_text(PRELOAD)
        if not program.exists():
            _install(npm)
    return program


def _install(npm: str) -> None:
    name = "node_modules/kinesis-local"
    package = {"name": "cache", "private": True, "dependencies": {"kinesis-local": VERSION}}
    lock = {
        "lockfileVersion": 3,
        "packages": {
            "": {"dependencies": package["dependencies"]},
            name: {"version": VERSION, "integrity": INTEGRITY},
        },
    }
    (CACHE / "package.json").write_text(json.dumps(package))
    (CACHE / "package-lock.json").write_text(json.dumps(lock))
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"],
        cwd=CACHE,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    if done.returncode:
        raise Missing(f"npm could not install kinesis-local: {done.stderr[-500:]}")


@contextmanager
def running() -> Iterator[str]:
    """Run it; gives its endpoint URL."""
    program = installed()
    reading, writing = os.pipe()
    environment = {
        "PATH": os.environ["PATH"],
        "KINESIS_MOCK_PLAIN_PORT": str(PLAIN_PORT),
        "KINESIS_MOCK_TLS_PORT": str(TLS_PORT),
        "ANNOUNCE": str(writing),
        "KINESIS_MOCK_CERT_PATH": str(program.with_name("server.json")),
        "LOG_LEVEL": "ERROR",
        "SHARD_LIMIT": "1000",
        **{
            f"{change}_DURATION": "1ms"
            for change in ("CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS", "UPDATE_SHARD_COUNT")
        },
    }
    process = subprocess.Popen(
        ["node", "--require", "./preload.cjs", str(program)],
        cwd=CACHE,
        env=environment,
        pass_fds=[writing],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        yield f"http://127.0.0.1:{_plain_port(reading)}"
    finally:
        os.close(reading)
        if process.stdin is not None:
            process.stdin.close()
        process.wait(timeout=20)


def _plain_port(reading: int) -> int:
    said = b""
    while select.select([reading], [], [], START_SECONDS)[0]:
        some = os.read(reading, 4096)
        said += some
        for line in said.split(b"\n")[:-1]:
            told = json.loads(line)
            if told["asked"] == PLAIN_PORT:
                return int(told["port"])
        if not some:
            break
    raise AssertionError("kinesis-local did not start")


def absent(reason: str) -> None:
    """Skip; in CI fail, where this is not optional."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"kinesis-local is not optional in CI: {reason}")
    pytest.skip(f"kinesis-local: {reason}")
