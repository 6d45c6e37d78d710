"""OpenSearch: the index on a server.

``client`` makes requests, ``signing`` signs them for AWS, ``bulk`` writes many documents and judges
each by the table in ``core/index/outcome``, ``sink`` is the sink, and ``setup`` installs templates,
checks them and deletes what is older than the retention.
"""

from streamer.adapters.opensearch.client import Server, ServerConfig
from streamer.adapters.opensearch.sink import OpenSearchSink

__all__ = ["OpenSearchSink", "Server", "ServerConfig"]
