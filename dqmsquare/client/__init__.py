"""The mirror in a terminal: `python -m dqmsquare.client runs --bad --last 20`. It asks /api/v1 and nothing else."""
