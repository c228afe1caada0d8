//! The limits of one HTTP/2 connection; every one has a safe default.

use super::Gauge;
use std::time::Duration;

/// The largest window that RFC 9113 §6.9.1 allows.
const LARGEST_WINDOW: u64 = (1 << 31) - 1;

/// The limits of one HTTP/2 connection, for either leg. Clones share their [`Gauge`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes that the peer may send on one stream before we have handed them on.
    pub stream_window: u32,
    /// Streams open at once: what we grant as a server, and our own cap as a client (the peer's may be lower).
    pub max_concurrent_streams: u32,
    /// The largest frame that we accept, in bytes: 16,384 to 16,777,215.
    pub max_frame_size: u32,
    /// The largest header list that we accept, in bytes, with 32 for each field (RFC 9113 §6.5.2).
    pub max_header_list_size: u32,
    /// Bytes of one stream that may wait to be written to the socket.
    pub send_buffer: usize,
    /// How long the peer may take for its preface and its SETTINGS.
    pub handshake_timeout: Duration,
    /// How often a silent connection is asked whether it lives.
    pub keepalive_interval: Duration,
    /// How long the answer may take before the connection is given up.
    pub keepalive_timeout: Duration,
    /// After how long without any stream a server says goodbye; `None` is never.
    pub idle_timeout: Option<Duration>,
    /// Streams that a client may reset before we have accepted them (CVE-2023-44487); one more ends the connection.
    pub max_pending_resets: usize,
    /// Streams that a peer may force us to reset, over a connection's life (CVE-2025-8671).
    pub max_local_error_resets: usize,
    /// Resets that we send at once to a server that may not have accepted their streams yet; the others follow as it can
    /// bear them. With as many again under way it is less than the 20 that h2 allows.
    pub max_early_resets: usize,
    /// Streams reset by us whose late frames are still recognised.
    pub max_remembered_resets: usize,
    /// Counts the bytes that connections with these settings hold in memory.
    pub buffered: Gauge,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stream_window: 1 << 20,
            max_concurrent_streams: 256,
            max_frame_size: 16 * 1024,
            max_header_list_size: 64 * 1024,
            send_buffer: 256 * 1024,
            handshake_timeout: Duration::from_secs(5),
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
            idle_timeout: Some(Duration::from_secs(60 * 60)),
            max_pending_resets: 100,
            max_local_error_resets: 1024,
            max_early_resets: 8,
            max_remembered_resets: 64,
            buffered: Gauge::default(),
        }
    }
}

impl Settings {
    /// The window of the whole connection: every stream can stall with a full window and none freezes another.
    pub fn connection_window(&self) -> u32 {
        let all = u64::from(self.stream_window) * u64::from(self.max_concurrent_streams);
        u32::try_from(all.min(LARGEST_WINDOW)).unwrap_or(u32::MAX >> 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_streams_fit_the_connection_window() {
        let settings = Settings::default();
        assert_eq!(settings.connection_window(), 256 << 20);
        let wide = Settings { stream_window: 1 << 30, ..settings };
        assert_eq!(u64::from(wide.connection_window()), LARGEST_WINDOW);
    }
}
