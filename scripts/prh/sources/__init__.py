"""What comes from outside: wheels, the model hub, folders; data sets and texts made of it."""
