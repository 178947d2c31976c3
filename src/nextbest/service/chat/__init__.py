"""The part of the service that talks. Import the modules by name."""
