"""Both sides of the evidence: checks hold for other seeds and fail for a broken experiment."""
