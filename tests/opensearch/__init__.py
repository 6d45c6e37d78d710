"""The OpenSearch sink on a real server, and on the stub that stands in for one."""
