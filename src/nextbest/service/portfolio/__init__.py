"""The part of the service that answers for portfolios. Import the modules by name."""
