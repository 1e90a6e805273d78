"""Files of people as tables: CSV, TSV, JSON lines, Parquet, SQuAD's JSON. Start at `reading`."""
