//! Signalling machines: what a client says about media, turned into commands for the engine.
//!
//! They are sans-IO like the rest: a websocket's owner hands messages in and sends what comes out.

pub mod livekit;
