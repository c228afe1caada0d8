//! Room for open sockets: the process takes all file descriptors that it may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a broker opens besides the connections of its consumers: files, probes, producers.
const OTHERS: u64 = 512;

/// Raises the soft limit of open files to the hard one, and warns if that is less than the connections that the
/// configuration allows. Many systems begin with 1,024 because of select(2), which is not used here.
pub(super) fn make_room(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let Some(hard) = limit.maximum else { return };
    if limit.current != Some(hard) {
        let all = Rlimit { current: Some(hard), maximum: Some(hard) };
        if let Err(error) = setrlimit(Resource::Nofile, all) {
            tracing::warn!(%error, "the limit of open files cannot be raised");
        }
    }
    let taken = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let wanted = connections as u64 + OTHERS;
    if taken < wanted {
        tracing::warn!(
            open_files = taken,
            connections,
            "fewer files may be open than limits.connections needs: raise LimitNOFILE (systemd) or `ulimit -Hn` to {wanted}"
        );
    }
}
