//! What a conference is.
