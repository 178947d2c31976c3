"""What language models are told: one file a prompt, with a version, both languages, examples and a budget of tokens."""
