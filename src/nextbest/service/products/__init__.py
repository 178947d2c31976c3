"""The part of the service that answers for bank products. Import the modules by name."""
