"""For each notebook the mutants of its experiments: see ``tools.proof.mutants``."""
