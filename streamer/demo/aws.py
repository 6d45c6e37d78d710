"""Emulated SNS, SQS and EventBridge as a process of its own; its address is the first line it prints.

It is moto's server. Kinesis is not among its services here: moto's loses records and can't reshard,
so the demo has an emulator for it that does neither. It ends when its standard input, a pipe, does.
"""

import logging
import sys
from threading import Thread

import msgspec
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


def main() -> None:
    """Serve on a free port of this machine's loopback."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(msgspec.json.encode({"url": f"http://127.0.0.1:{server.port}"}).decode() + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
