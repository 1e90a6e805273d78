"""Files of people as tables: CSV, TSV, JSON Lines, Parquet, SQuAD's JSON.

Start at `reading`, which hands a file to the reader of its format; a `table` is what comes out.
"""
