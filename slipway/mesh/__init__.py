"""The declaration: who may call whom. Model, loading, defaults, checks, names."""
