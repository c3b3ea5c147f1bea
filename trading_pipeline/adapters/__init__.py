"""Everything that touches the world: exchanges, disks, databases, pages."""
