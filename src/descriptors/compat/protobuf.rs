//! Compares services, and hands the messages that their methods reach to the comparison of types.

use super::contract::Declarations;
use super::shape::Method;
use super::types::Types;
use super::{Breaks, Contract};
use crate::model::ServiceName;
use std::collections::BTreeSet;

/// Finds what breaks for those who call the services of `old`.
pub(super) fn compare(old: Contract<'_>, new: Contract<'_>, found: &mut Breaks) {
    let (before, after) = (Declarations::of(old.services, old.set), Declarations::of(new.services, new.set));
    let mut types = Types::new(&before, &after);
    let kept: BTreeSet<&ServiceName> = new.services.iter().collect();
    for service in old.services.iter().collect::<BTreeSet<_>>() {
        if kept.contains(service) {
            self::service(service.as_str(), &before, &after, &mut types, found);
        } else {
            found.add(service.as_str(), "SERVICE_NO_DELETE", "the service is gone");
        }
    }
    types.compare(found);
}

fn service(
    name: &str,
    before: &Declarations<'_>,
    after: &Declarations<'_>,
    types: &mut Types<'_>,
    found: &mut Breaks,
) {
    let Some(old) = before.get(name) else { return };
    let Some(new) = after.get(name) else {
        let message = "its descriptors are gone, so nothing shows that it is still the same";
        found.add(name, "DESCRIPTORS_NO_DELETE", message);
        return;
    };
    let after = Method::all(name, new, after);
    for (short, old) in Method::all(name, old, before) {
        let path = format!("{name}.{short}");
        match after.get(short) {
            Some(new) => method(&path, &old, new, types, found),
            None => found.add(path, "RPC_NO_DELETE", "the method is gone"),
        }
    }
}

fn method(path: &str, old: &Method<'_>, new: &Method<'_>, types: &mut Types<'_>, found: &mut Breaks) {
    let messages = [
        ("RPC_SAME_REQUEST_TYPE", "request", &old.input, &new.input),
        ("RPC_SAME_RESPONSE_TYPE", "response", &old.output, &new.output),
    ];
    for (rule, what, old, new) in messages {
        if old == new {
            types.reach(old);
        } else {
            found.add(path, rule, format!("its {what} was {old} and is {new}"));
        }
    }
    let streams = [
        ("RPC_SAME_CLIENT_STREAMING", "request", old.client_streaming, new.client_streaming),
        ("RPC_SAME_SERVER_STREAMING", "response", old.server_streaming, new.server_streaming),
    ];
    let word = |streaming: bool| if streaming { "a stream" } else { "one message" };
    for (rule, what, old, new) in streams {
        if old != new {
            found.add(path, rule, format!("its {what} was {} and is {}", word(old), word(new)));
        }
    }
    if old.idempotency != new.idempotency {
        let word =
            |level| ["IDEMPOTENCY_UNKNOWN", "NO_SIDE_EFFECTS", "IDEMPOTENT"].get(level as usize).copied();
        let (old, new) = (word(old.idempotency), word(new.idempotency));
        let message = format!(
            "its idempotency_level was {} and is {}",
            old.unwrap_or("unknown"),
            new.unwrap_or("unknown")
        );
        found.add(path, "RPC_SAME_IDEMPOTENCY_LEVEL", message);
    }
}
