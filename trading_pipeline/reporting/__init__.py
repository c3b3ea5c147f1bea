"""Reports as data: what a report says, decided before anyone draws it."""
