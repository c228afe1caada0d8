//! What is told of a version that does not fit.

use crate::model::VersionName;

/// Why it cannot be compared, and what to do.
pub(super) fn uncompared(name: &VersionName, lost: &VersionName) -> String {
    format!(
        "{} was taken before, and its descriptors are no longer kept, so nothing shows that {} fits to it: declare {} \
         again beside it, or begin a new major: {}",
        lost.version,
        name.version,
        lost.version,
        next_major(name)
    )
}

/// What it was compared with, and what to do.
pub(super) fn advice(name: &VersionName, lower: &VersionName, upper: &VersionName) -> String {
    let other = if name == upper { lower } else { upper };
    format!(
        " (between {} and {}, which was registered); what breaks consumers begins a new major: {}",
        name.version,
        other.version,
        next_major(name)
    )
}

fn next_major(name: &VersionName) -> String {
    match &name.version {
        version if version.major > 0 => format!("{}.0.0", version.major + 1),
        version => format!("0.{}.0", version.minor + 1),
    }
}
