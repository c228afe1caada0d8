//! `portolan.registry.v1.RegistryService`: producers say what they offer.

use super::caller::caller;
use super::consumers::Consumers;
use super::fault::Fault;
use super::fault::registration::refused;
use crate::federation::{Receipt, Registrar};
use crate::model::{ProducerName, Registration, Stage, VersionName};
use crate::wire::pb::portolan::registry::v1 as pb;
use crate::wire::registry as wire;
use pb::registry_service_server::{RegistryService, RegistryServiceServer};
use tonic::{Request, Response, Status};

/// The service.
#[derive(Debug, Clone)]
pub struct Registry {
    registrar: Registrar,
    consumers: Consumers,
}

/// The service over a registrar; `consumers` says whom a deprecation affects, `largest_message` bounds a request in
/// bytes.
pub fn service(
    registrar: Registrar,
    consumers: Consumers,
    largest_message: usize,
) -> RegistryServiceServer<Registry> {
    RegistryServiceServer::new(Registry { registrar, consumers }).max_decoding_message_size(largest_message)
}

#[tonic::async_trait]
impl RegistryService for Registry {
    async fn register_producer(
        &self,
        request: Request<pb::RegisterProducerRequest>,
    ) -> Result<Response<pb::RegisterProducerResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let validate_only = request.validate_only;
        let registration = wire::parse(request).map_err(refused)?;
        let ending = ending(&registration);
        let receipt = if validate_only {
            self.registrar.validate(&caller.identity, registration).await
        } else {
            self.registrar.register(&caller.identity, registration).await
        };
        let receipt = receipt.map_err(Fault::from)?;
        let affected = self.consumers.affected(&caller, &ending);
        Ok(Response::new(pb::RegisterProducerResponse {
            name: receipt.producer.to_string(),
            revision: receipt.revision,
            warnings: receipt.warnings.clone(),
            affected_consumers: affected.consumers,
            omitted_consumers: affected.omitted,
            lease: lease(receipt),
        }))
    }

    async fn renew_lease(
        &self,
        request: Request<pb::RenewLeaseRequest>,
    ) -> Result<Response<pb::RenewLeaseResponse>, Status> {
        let caller = caller(&request)?;
        let id = request.into_inner().lease_id;
        let receipt = self.registrar.renew(&caller.identity, &id).await.map_err(Fault::from)?;
        Ok(Response::new(pb::RenewLeaseResponse { lease: lease(receipt) }))
    }

    async fn deregister_producer(
        &self,
        request: Request<pb::DeregisterProducerRequest>,
    ) -> Result<Response<pb::DeregisterProducerResponse>, Status> {
        let caller = caller(&request)?;
        let name = ProducerName::parse(&request.into_inner().name)
            .map_err(|e| Fault::invalid("INVALID_NAME", e.to_string()))?;
        let receipt = self.registrar.deregister(&caller.identity, name).await.map_err(Fault::from)?;
        Ok(Response::new(pb::DeregisterProducerResponse { revision: receipt.revision }))
    }
}

/// The versions that are declared as deprecated or retired. Also those that were so before: the same request, sent
/// again, has the same answer.
fn ending(registration: &Registration) -> Vec<VersionName> {
    let offers = registration.offers.iter();
    let ending = offers.filter(|offer| matches!(offer.stage, Stage::Deprecated | Stage::Retired));
    let name = |offer: &crate::model::Offer| VersionName {
        platform: registration.producer.platform.clone(),
        capability: offer.capability.clone(),
        version: offer.version.clone(),
    };
    ending.map(name).collect()
}

fn lease(receipt: Receipt) -> Option<pb::Lease> {
    receipt.lease.map(|lease| wire::lease(lease.id, lease.term, lease.expires))
}

#[cfg(test)]
mod tests;
