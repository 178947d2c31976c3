"""Words to dictionary forms, and to vectors: sentence encoders and the character n-grams that stand in for them."""
