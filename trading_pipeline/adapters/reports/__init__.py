"""Reports as files: PDF with vector charts, and small pictures for asset metadata."""
