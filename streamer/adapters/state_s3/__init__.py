"""State on S3: ``objects`` speaks to the bucket, ``store`` keeps snapshots in it."""

from streamer.adapters.state_s3.objects import S3Client, S3Objects
from streamer.adapters.state_s3.store import S3SnapshotStore

__all__ = ["S3Client", "S3Objects", "S3SnapshotStore"]
