"""Speaks to the server, in a child process: requests, scans on their way, inferences. Neither Qt nor MRML."""
