//! Elasticsearch's document and search API inside one process, on SQLite.
