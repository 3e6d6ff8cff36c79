//! What outlives a meeting.
