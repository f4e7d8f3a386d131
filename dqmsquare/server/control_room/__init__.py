"""The Control Room: who may enter, which commands there are, how they reach DQM², and what is kept of them."""
