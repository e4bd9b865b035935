//! What the service needs of a search cluster, and two adapters for it.
