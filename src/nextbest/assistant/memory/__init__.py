"""What was said before: a few turns and a summary of the older ones, a document for each caller and session."""
