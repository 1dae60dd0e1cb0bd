"""The page `sbirctl serve` shows, and the server that answers it and nothing else."""
