//! Statuses as data: the numbers of `grpc-status`, and the names that a service config writes for them.

/// The number of a gRPC status, 0 to 16 (gRPC "Status codes and their use").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u8);

/// A set of statuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statuses(u32);

const NAMES: [&str; Status::COUNT] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Status {
    /// How many there are.
    pub const COUNT: usize = 17;
    /// The call did what it was meant to.
    pub const OK: Status = Status(0);
    /// Somebody broke it off.
    pub const CANCELLED: Status = Status(1);
    /// Not allowed.
    pub const PERMISSION_DENIED: Status = Status(7);
    /// Something is used up.
    pub const RESOURCE_EXHAUSTED: Status = Status(8);
    /// A rule of the protocol is broken.
    pub const INTERNAL: Status = Status(13);
    /// Nobody is there just now.
    pub const UNAVAILABLE: Status = Status(14);

    /// The status of a number; `None` over 16.
    pub fn new(number: u8) -> Option<Self> {
        (usize::from(number) < NAMES.len()).then_some(Self(number))
    }

    /// Reads a name, in upper or lower case.
    pub fn parse(name: &str) -> Option<Self> {
        let at = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        u8::try_from(at).ok().map(Self)
    }

    /// The number, as in `grpc-status`.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The name in upper case.
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }
}

impl Statuses {
    /// Nothing but UNAVAILABLE.
    pub const UNAVAILABLE: Statuses = Statuses(1 << 14);

    /// Whether the status is one of them.
    pub fn contains(self, status: Status) -> bool {
        self.0 & (1 << status.0) != 0
    }

    /// Adds one. False if it was there.
    pub fn insert(&mut self, status: Status) -> bool {
        let was = self.contains(status);
        self.0 |= 1 << status.0;
        !was
    }
}
