"""Capture files and standard input: lines are records, in event time across the files of a shard.

::

    raw.py     bytes of a file or pipe, unpacked     lines.py    records of one file, a chunk at a time
    merge.py   files of one shard, by event time     source.py   finds the files, makes batches

**What is a shard.** Files whose path names an endpoint and a variant (the S3 layout
``<endpoint>/<variant>/yyyy/mm/dd/hh/<file>``) are one shard, ``<endpoint>/<variant>``; all other
files together are the shard ``files``; standard input is the shard ``-``. So there are as few
shards as batches with one path allow. A record's position is ``<path>:<line>``.

**In which order.** Several instances behind a variant write files that overlap in time, and names
need not sort by time. A shard's files are therefore merged by their records' event times, read with
a quick look at the text that decides nothing else: a file is begun when the merge has come to its
first time. Merged so, records are no more out of order than they are within their files. A record
whose time can't be read stays behind the one before it in its file, and a time minutes ahead of what
follows (one clock in 2030) does not hold its file back.

No file stays open between reads, whatever their number. Memory is bounded by the files that overlap
at one time: a chunk each, smaller when there are many.
"""

from streamer.adapters.files.source import STDIN, SUFFIXES, FileProblem, FilesSource

__all__ = ["STDIN", "SUFFIXES", "FileProblem", "FilesSource"]
