"""What keeps a system running beside its answers: runs that are tracked."""
