"""What the benchmarks count, asserted: work grows with what changed, with nothing else."""
