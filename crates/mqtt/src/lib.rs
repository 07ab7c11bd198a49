//! MQTT 3.1 and 3.1.1 without I/O: a borrowed codec for both roles, and a client session.
//!
//! **After any input to a [`Session`], send what [`Session::outgoing`] holds.** Nothing here reads a clock, opens a
//! socket or allocates per message on its way: a packet that arrives whole is handed on as slices of the caller's buffer.
//!
//! The codec is strict about everything that MQTT 3.1.1 calls a protocol violation, and says which one it met. MQTT 5 is
//! not spoken: the modules that this project is about do not speak it.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod codec;
mod packet;
mod session;
mod topic;

pub use codec::{DecodeError, EncodeError, FrameLength, MAX_REMAINING_LENGTH, frame_length};
pub use packet::{
    Connack, Connect, ConnectCode, Filters, Packet, PacketId, Publish, QoS, Suback, Subscribe,
    TopicFilters, Unsubscribe, Version, Will,
};
pub use session::{Event, ProtocolError, Session, SessionConfig, SessionError, State};
pub use topic::{topic_covers, topic_filter_is_valid, topic_matches, topic_name_is_valid};
