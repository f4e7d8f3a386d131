"""Process 1: copies what the DQM² hosts report into the database."""
