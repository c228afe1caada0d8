//! `portolan.routing.v1.RoutingService`: why a call goes where it goes, as the caller may see it.

mod metadata;
mod show;

use super::caller::caller;
use super::fault::{Fault, call};
use super::gate;
use crate::model::Violation;
use crate::relay::director::{Explanation, Refusal};
use crate::relay::{BadIntent, Intent, Relay};
use crate::wire::pb::portolan::routing::v1 as pb;
use crate::wire::time::parse_duration;
use pb::routing_service_server::{RoutingService, RoutingServiceServer};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// So many candidates are told; nobody reads more, and each is a few hundred bytes.
const CANDIDATES: usize = 256;

/// The service.
#[derive(Debug, Clone)]
pub struct Routing {
    relay: Arc<Relay>,
}

/// The service over the relay that carries the calls: it tells what that would do.
pub fn service(relay: Arc<Relay>) -> RoutingServiceServer<Routing> {
    RoutingServiceServer::new(Routing { relay }).max_decoding_message_size(super::SMALL_MESSAGE)
}

#[tonic::async_trait]
impl RoutingService for Routing {
    async fn explain_route(
        &self,
        request: Request<pb::ExplainRouteRequest>,
    ) -> Result<Response<pb::ExplainRouteResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let service = service_name(&request.method)?;
        let intent = intent(&request)?;
        let metadata = metadata::read(&request.metadata)?;
        let told = self.relay.explain(&caller, (service, &metadata), &intent, CANDIDATES);
        let refusal = if gate::is_own(service) {
            Some(("OWN_SERVICE".to_owned(), "the broker answers it itself".to_owned()))
        } else {
            refusal(service, &told)
        };
        let mut explanation = show::explanation(service, &self.relay.broker, &told);
        (explanation.refusal_reason, explanation.refusal) = refusal.unwrap_or_default();
        Ok(Response::new(pb::ExplainRouteResponse { explanation: Some(explanation) }))
    }
}

/// The service of `package.Service/Method`, with or without a slash before it and a method after it.
fn service_name(method: &str) -> Result<&str, Fault> {
    let path = method.strip_prefix('/').unwrap_or(method);
    let (service, method) = path.split_once('/').unwrap_or((path, "Any"));
    if gate::is_word(service) && gate::is_word(method) {
        return Ok(service);
    }
    let message = "method is not package.Service/Method, nor package.Service";
    let violation = Violation::new("method", "MALFORMED_METHOD", "write acme.ledger.v1.Ledger/Post");
    Err(Fault::invalid("MALFORMED_METHOD", message).violations([violation]))
}

fn intent(request: &pb::ExplainRouteRequest) -> Result<Intent, Fault> {
    let max_staleness = match request.max_staleness {
        None => None,
        Some(span) => Some(parse_duration(span).ok_or_else(|| {
            let violation = Violation::new("max_staleness", "MALFORMED", "it is negative, or no duration");
            Fault::invalid("BAD_DURATION", "max_staleness is no duration").violations([violation])
        })?),
    };
    Intent::of(&request.platform, &request.version, max_staleness).map_err(|bad: BadIntent| {
        let field = bad.header.trim_start_matches("portolan-").to_owned();
        let violation = Violation::new(field, "MALFORMED", format!("{}; {}", bad.wrong, bad.fix));
        Fault::from(bad).violations([violation])
    })
}

/// Why a call goes nowhere, as the call itself would say. Only a service that is all hidden reads as one that does not
/// exist: who asks of names must not learn which of them are in use.
fn refusal(service: &str, told: &Explanation) -> Option<(String, String)> {
    let refusal = match told.refusal.clone()? {
        Refusal::Denied(_) if told.candidates.is_empty() => Refusal::NoOwner(service.to_owned()),
        refusal => refusal,
    };
    let fault = call::refused(refusal);
    Some((fault.reason().to_owned(), fault.message().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_named_as_in_a_path_or_by_its_service_alone() {
        for good in ["acme.v1.A/Do", "/acme.v1.A/Do", "acme.v1.A", "/acme.v1.A"] {
            assert_eq!(service_name(good).unwrap(), "acme.v1.A", "{good}");
        }
        for bad in ["", "/", "acme.v1.A/", "/acme.v1.A/a/b", "acme v1", "caf\u{e9}.A/Do", &"x".repeat(300)] {
            assert!(service_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_read_names_its_field() {
        use tonic_types::StatusExt;
        let ask = |edit: fn(&mut pb::ExplainRouteRequest)| {
            let mut request = pb::ExplainRouteRequest::default();
            edit(&mut request);
            let details = Status::from(intent(&request).unwrap_err()).get_error_details();
            details.bad_request().unwrap().field_violations[0].field.clone()
        };
        assert_eq!(ask(|r| r.platform = "A B".into()), "platform");
        assert_eq!(ask(|r| r.version = "1".repeat(10 << 10)), "version");
        let negative = |r: &mut pb::ExplainRouteRequest| {
            r.max_staleness = Some(prost_types::Duration { seconds: -1, nanos: 0 });
        };
        assert_eq!(ask(negative), "max_staleness");
    }
}
