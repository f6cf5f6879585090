"""The local cluster and its machines: everything in network namespaces of its own, nothing leaves the computer."""
