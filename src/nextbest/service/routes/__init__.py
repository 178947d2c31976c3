"""The paths of the service, a file per topic; each builds a router over one `Service`."""
