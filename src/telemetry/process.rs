//! The process itself: when it began, and what it takes of the machine, as Prometheus' clients name it.

use super::family::{Family, Kind, Unit};
use jiff::Timestamp;
use std::fs;

/// Ticks in a second of processor time, as Linux tells them to programs (`sysconf(_SC_CLK_TCK)`, fixed for user space).
const TICKS: f64 = 100.0;
/// The size of a page where the system does not say it otherwise.
const PAGE: u64 = 4096;

/// The process, as it began.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    began: Timestamp,
}

impl Process {
    /// It began now.
    pub fn new(began: Timestamp) -> Self {
        Self { began }
    }

    /// When it began.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// What it takes now; what the system does not tell is left out.
    pub fn gather(&self) -> Vec<Family> {
        let gauge = |name, unit, help| Family::new(Kind::Gauge, name, unit, help);
        let began = self.began.as_millisecond() as f64 / 1e3;
        let mut families = vec![
            gauge("process.start_time", Unit::Seconds, "When the process began, since the Unix epoch.")
                .with(Vec::new(), began),
        ];
        if let Some(bytes) = resident() {
            let family = gauge("process.resident_memory", Unit::Bytes, "Memory that the process holds.");
            families.push(family.with(Vec::new(), bytes));
        }
        if let Some(seconds) = processor() {
            let name = "process.cpu";
            let family = Family::new(Kind::Counter, name, Unit::Seconds, "Processor time, user and system.");
            families.push(family.with(Vec::new(), seconds));
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            let family = gauge("process.open_fds", Unit::None, "Open file descriptors.");
            families.push(family.with(Vec::new(), files.count()));
        }
        families
    }
}

/// The second field of `statm` is the resident set, in pages (proc_pid_statm(5)).
fn resident() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

/// Fields 14 and 15 of `stat`; the second is a name in parentheses that may hold anything (proc_pid_stat(5)).
fn processor() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_knows_itself() {
        let families = Process::new(Timestamp::UNIX_EPOCH).gather();
        let names: Vec<_> = families.iter().map(|family| family.name).collect();
        assert_eq!(
            names,
            ["process.start_time", "process.resident_memory", "process.cpu", "process.open_fds"]
        );
        assert!(resident().unwrap() > 1 << 20);
    }
}
