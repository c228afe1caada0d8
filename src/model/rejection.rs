//! Why a record was refused. It alone: the records beside it go on.

use super::{BrokerId, Identity, Stamp, TrustDomain};

/// Why a record was refused, in one word: what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RejectionKind {
    /// The body cannot be read.
    Malformed,
    /// It is larger than is taken.
    TooLarge,
    /// The certificates of its signer never came.
    UnknownSigner,
    /// The chain of its signer is not to be believed.
    UntrustedSigner,
    /// The certificate of its signer came to its end.
    ExpiredSigner,
    /// The signature does not fit.
    BadSignature,
    /// Its signer is of another trust domain than its origin.
    ForeignSigner,
    /// Its signer is no broker.
    NotABroker,
    /// Its name is another organisation's.
    ForeignName,
    /// A service in it is another platform's.
    ForeignPrefix,
    /// Its payload is not what its kind demands.
    BadPayload,
    /// Its origin told another thing under the same stamp.
    Equivocation,
    /// A newer state is known.
    Superseded,
    /// It came through the receiver before.
    Loop,
    /// Its path is not true.
    BadPath,
    /// Its path is too long.
    TooFar,
    /// The sender may not hand it on.
    Leak,
    /// No import rule takes it.
    NotImported,
    /// More than is kept of one origin or peer.
    OverQuota,
}

/// Why a record was not taken. The last good state of it stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The body cannot be read, or says what no record may say.
    #[error("its body cannot be read: {0}")]
    Malformed(String),
    /// The body or the payload is larger than is taken.
    #[error("it has {size} bytes, and at most {limit} are taken")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The chain of its signer never came.
    #[error("the certificates of its signer are not known")]
    UnknownSigner,
    /// The chain of its signer is not to be believed.
    #[error("its signer is not to be believed: {0}")]
    Untrusted(String),
    /// The certificate of its signer, or one above it, has come to its end.
    #[error("the certificate of its signer has expired")]
    ExpiredSigner,
    /// The signature is not that of the signer over this body.
    #[error("its signature does not fit")]
    BadSignature,
    /// The signer's trust domain is not that of the origin.
    #[error("{signer} signed it, and is not of the origin's trust domain {origin}")]
    ForeignSigner {
        /// Who signed.
        signer: Identity,
        /// The trust domain that the record names as its origin's.
        origin: TrustDomain,
    },
    /// The signer is of the right trust domain, and no broker of it.
    #[error("{0} signed it, and speaks for no broker of its trust domain")]
    NotABroker(Identity),
    /// The name belongs to another organisation than the origin's, or to none that is known here.
    #[error("{name} is not the origin's to tell of")]
    ForeignName {
        /// The record's name.
        name: String,
    },
    /// A service in it is under no prefix that its platform was granted here.
    #[error("{service} is under no prefix granted to its platform")]
    ForeignPrefix {
        /// The service's name.
        service: String,
    },
    /// The payload is not what its kind demands, or does not fit the name.
    #[error("its payload is not to be used: {0}")]
    BadPayload(String),
    /// The same state of the same thing was told before, with other words.
    #[error("its origin told {0} before, with other words")]
    Equivocation(Stamp),
    /// An older state than the one that is known.
    #[error("{known} is known, and it is {told}")]
    Superseded {
        /// What is known.
        known: Stamp,
        /// What it is.
        told: Stamp,
    },
    /// It went through us before.
    #[error("it came through this broker before")]
    Loop,
    /// Its path does not begin with its origin, does not end with who sent it, or passes somebody twice.
    #[error("its path is not true: {0}")]
    BadPath(&'static str),
    /// Its path is longer than is allowed.
    #[error("it passed {hops} brokers, and at most {limit} are allowed")]
    TooFar {
        /// How many it passed.
        hops: usize,
        /// How many it may.
        limit: usize,
    },
    /// The sender may give us only what is its own or its customers' (RFC 9234 §5).
    #[error("{0} sent it to customers only, and the sender is none of its providers")]
    Leak(BrokerId),
    /// No import rule wants it.
    #[error("no import rule of this broker takes it")]
    NotImported,
    /// More than is kept of one peer or one origin.
    #[error("more than {limit} {what} are kept of one {of}")]
    OverQuota {
        /// The limit.
        limit: usize,
        /// Of what.
        what: &'static str,
        /// From whom.
        of: &'static str,
    },
}

impl Rejection {
    /// The reason for programs: `UPPER_SNAKE_CASE`.
    pub fn reason(&self) -> &'static str {
        self.kind().reason()
    }

    /// The same in one word.
    pub fn kind(&self) -> RejectionKind {
        match self {
            Rejection::Malformed(_) => RejectionKind::Malformed,
            Rejection::TooLarge { .. } => RejectionKind::TooLarge,
            Rejection::UnknownSigner => RejectionKind::UnknownSigner,
            Rejection::Untrusted(_) => RejectionKind::UntrustedSigner,
            Rejection::ExpiredSigner => RejectionKind::ExpiredSigner,
            Rejection::BadSignature => RejectionKind::BadSignature,
            Rejection::ForeignSigner { .. } => RejectionKind::ForeignSigner,
            Rejection::NotABroker(_) => RejectionKind::NotABroker,
            Rejection::ForeignName { .. } => RejectionKind::ForeignName,
            Rejection::ForeignPrefix { .. } => RejectionKind::ForeignPrefix,
            Rejection::BadPayload(_) => RejectionKind::BadPayload,
            Rejection::Equivocation(_) => RejectionKind::Equivocation,
            Rejection::Superseded { .. } => RejectionKind::Superseded,
            Rejection::Loop => RejectionKind::Loop,
            Rejection::BadPath(_) => RejectionKind::BadPath,
            Rejection::TooFar { .. } => RejectionKind::TooFar,
            Rejection::Leak(_) => RejectionKind::Leak,
            Rejection::NotImported => RejectionKind::NotImported,
            Rejection::OverQuota { .. } => RejectionKind::OverQuota,
        }
    }
}

impl RejectionKind {
    /// The reason for programs: `UPPER_SNAKE_CASE`.
    pub fn reason(self) -> &'static str {
        match self {
            RejectionKind::Malformed => "MALFORMED",
            RejectionKind::TooLarge => "TOO_LARGE",
            RejectionKind::UnknownSigner => "UNKNOWN_SIGNER",
            RejectionKind::UntrustedSigner => "UNTRUSTED_SIGNER",
            RejectionKind::ExpiredSigner => "EXPIRED_SIGNER",
            RejectionKind::BadSignature => "BAD_SIGNATURE",
            RejectionKind::ForeignSigner => "FOREIGN_SIGNER",
            RejectionKind::NotABroker => "NOT_A_BROKER",
            RejectionKind::ForeignName => "FOREIGN_NAME",
            RejectionKind::ForeignPrefix => "FOREIGN_PREFIX",
            RejectionKind::BadPayload => "BAD_PAYLOAD",
            RejectionKind::Equivocation => "EQUIVOCATION",
            RejectionKind::Superseded => "SUPERSEDED",
            RejectionKind::Loop => "LOOP",
            RejectionKind::BadPath => "BAD_PATH",
            RejectionKind::TooFar => "TOO_FAR",
            RejectionKind::Leak => "LEAK",
            RejectionKind::NotImported => "NOT_IMPORTED",
            RejectionKind::OverQuota => "OVER_QUOTA",
        }
    }

    /// Whether it tells of somebody who lies, rather than of somebody who is late, new or not wanted.
    pub fn is_hostile(self) -> bool {
        use RejectionKind::{
            BadPath, BadSignature, Equivocation, ForeignName, ForeignPrefix, ForeignSigner, Leak, NotABroker,
        };
        matches!(
            self,
            BadSignature
                | ForeignSigner
                | NotABroker
                | ForeignName
                | ForeignPrefix
                | Equivocation
                | BadPath
                | Leak
        )
    }
}

impl std::fmt::Display for RejectionKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason())
    }
}
