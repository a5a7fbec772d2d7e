"""Tables in, figures out; published numbers beside those of the run."""
