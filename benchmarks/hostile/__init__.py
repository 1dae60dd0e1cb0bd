"""Parts of `benchmarks/faults.py`: damaged files, failing writes, kills, a hostile client."""
