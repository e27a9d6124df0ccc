//! Where analyses live: the SQLite library and the object store.
