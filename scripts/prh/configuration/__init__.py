"""What a run is asked for: the configuration and its tables, checked before any job starts."""
