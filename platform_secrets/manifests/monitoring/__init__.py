"""What Prometheus watches: whom it scrapes, and when it alerts."""
