//! Language and vision models over HTTP, and the router in front of every model.
//!
//! Each back end is a [`Vlm`](tempograph_core::vlm::Vlm) on the threads of one [`Net`]: [`openai`] (any
//! OpenAI-compatible server), [`gemini`], [`runpod`].

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod gemini;
pub mod meter;
mod net;
pub mod openai;
pub mod prices;
mod question;
pub mod router;
pub mod runpod;
mod secret;
#[cfg(feature = "testing")]
pub mod testing;

#[doc(hidden)]
#[cfg(feature = "conformance")]
pub use self::net::sse::read_events;
pub use self::net::{Net, Reply, Timeouts};
pub use self::secret::Secret;

/// Whether `address` is a server of this machine, which can be asked without a network.
pub fn is_local(address: &str) -> bool {
    url::Url::parse(address.trim()).is_ok_and(|url| net::http::is_loopback(&url))
}
