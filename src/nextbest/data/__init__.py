"""The journal and its companions: reading, cleaning, storing, encoding."""
