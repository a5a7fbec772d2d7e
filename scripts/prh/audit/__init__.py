"""Is every artifact what it says it is? And the crate, by which runs are exchanged."""
