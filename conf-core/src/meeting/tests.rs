//! Tests of the meeting.
