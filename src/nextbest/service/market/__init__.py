"""The part of the service that forecasts prices. Import the modules by name."""
