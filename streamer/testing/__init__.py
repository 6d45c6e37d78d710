"""Fakes of every port, held to the suites in ``tests/contract``; public, for the tests of who builds on this."""
