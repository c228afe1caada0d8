//! A spoilt wire between broker and producer: for each fault what the caller sees and when, that no call ran twice, and that
//! callers of other producers saw nothing.

mod alone;
mod goaway;
mod pair;
mod stage;
