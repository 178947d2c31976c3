"""Stage 3: a language model fine-tuned on windows of prices, beside what it must beat."""
