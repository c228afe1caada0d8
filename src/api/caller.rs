//! Who is calling, as the listener has put it into the request.

use super::fault::Fault;
use crate::access::Caller;
use std::sync::Arc;
use tonic::Request;

/// The verified caller of a typed request.
pub(super) fn caller<T>(request: &Request<T>) -> Result<Arc<Caller>, Fault> {
    // The listener puts it there before any service is called; without it nothing may be shown.
    let nobody = || Fault::internal("NO_CALLER", "the caller is not known");
    request.extensions().get::<Arc<Caller>>().cloned().ok_or_else(nobody)
}
