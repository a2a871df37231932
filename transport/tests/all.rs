//! Every test of the QUIC door in one program: each file is a part of it.

mod bad_input;
mod cursors;
mod door;
mod double;
mod endpoints;
mod hostile;
mod lists;
mod pages;
mod partial;
mod policies;
mod polling;
mod refresh;
mod relation_calls;
mod relations;
mod relations_more;
mod renewal;
mod strangers;
mod streams;
mod support;
mod visibility;
