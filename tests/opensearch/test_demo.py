"""The demo with an OpenSearch beside it: every document is there, and every panel has something to show."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from streamer.core.index.families import Family
from tests.opensearch.place import Place
from tests.opensearch.test_panels import NAMES, answers, buckets

COMMAND = [sys.executable, "-m", "streamer", "demo", "--days-per-second", "0", "--records", "12000"]
SECONDS = 240.0


def in_sqlite(path: Path) -> dict[str, str]:
    """Bodies by id; those on the service itself are handed to each sink as it has time, so both may lack some."""
    with closing(sqlite3.connect(path)) as db:
        return dict(db.execute("SELECT id, body FROM documents WHERE kind != 'operations'"))


def test_what_the_demo_finds_is_in_opensearch_too_and_no_panel_of_it_is_empty(real: Place, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    env = {**os.environ, "STREAMER_INDEX__OPENSEARCH__PREFIX": real.shelf.prefix}
    command = [*COMMAND, "--out", str(out), "--opensearch", real.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert real.url in done.stdout
    expected = in_sqlite(out / "streamer.sqlite")
    assert len(expected) > 150
    assert real.of(Family.FEATURES, Family.ENDPOINTS, Family.INCIDENTS, Family.DECISIONS) == expected
    for name in (name.removeprefix("streamer-") for name in NAMES):
        for answer in answers(real, name):
            assert all(buckets(answer["aggregations"])) if "aggregations" in answer else answer["hits"]["hits"], name
