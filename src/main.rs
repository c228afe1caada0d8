//! Portolan, the process.

fn main() {}
