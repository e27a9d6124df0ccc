//! Servers that speak each provider's wire format and fail on demand.
