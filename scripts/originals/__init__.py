"""The original programs, measured as `scripts.benchmark` measures this one; see `measure`."""
