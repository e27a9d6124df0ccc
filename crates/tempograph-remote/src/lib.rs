//! Language and vision models over HTTP, and the router in front of every model.
