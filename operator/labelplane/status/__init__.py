"""From an outcome to what users see: conditions, status, Events. Pure functions."""
