"""The only place that opens data: readers by format, the Delta writer, and the spool that sorts rows on disk."""
