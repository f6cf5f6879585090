"""The CrossGuard pack: what no environment may contain, whoever wrote the resource."""
