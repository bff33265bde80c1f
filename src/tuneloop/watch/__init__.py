"""What becomes of a release once it is served: events, feedback, drift, alerts."""
