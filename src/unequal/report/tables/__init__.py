"""Tables of the report: one file per topic; `table` holds columns, number formats and export."""
