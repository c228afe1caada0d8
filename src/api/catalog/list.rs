//! The four lists: what the caller sees, what it asks for of that, and one page of it.

use super::pins::Moment;
use super::search::{Asked, CapabilityItem, PlatformItem, ProducerItem, Search, VersionItem};
use super::view::{self, Level};
use super::{Catalog, pb};
use crate::access::Caller;
use crate::api::fault::Fault;
use crate::model::{CapabilityName, ProducerName, VersionName};

impl Catalog {
    /// Platforms.
    pub(super) async fn platforms(
        &self,
        caller: &Caller,
        asked: &pb::ListPlatformsRequest,
    ) -> Result<pb::ListPlatformsResponse, Fault> {
        let what = Asked {
            method: "ListPlatforms",
            parent: "",
            page: (asked.page_size, &asked.page_token),
            filter: &asked.filter,
            order_by: &asked.order_by,
            read_mask: asked.read_mask.as_ref(),
        };
        let search = Search::open::<PlatformItem<'_>>(&what, caller)?;
        let moment = search.moment(&self.pins, |reads_status| self.now(reads_status))?;
        let view = self.view(caller, &moment.catalog);
        let item = |entry| PlatformItem { entry, view, status: moment.status.as_deref() };
        let after = search.after(view::platform_name)?;
        let items = |after| view.platforms(after).map(item);
        let mut found = search.find(after.as_ref(), items, |name| view.platform(name).map(item)).await?;
        let next_page_token = search.page(&mut found, &self.pins, &moment);
        let platforms = search.show(found.iter().map(|item| view.show_platform(item.entry)))?;
        Ok(pb::ListPlatformsResponse { platforms, next_page_token })
    }

    /// Capabilities.
    pub(super) async fn capabilities(
        &self,
        caller: &Caller,
        asked: &pb::ListCapabilitiesRequest,
    ) -> Result<pb::ListCapabilitiesResponse, Fault> {
        let what = Asked {
            method: "ListCapabilities",
            parent: &asked.parent,
            page: (asked.page_size, &asked.page_token),
            filter: &asked.filter,
            order_by: &asked.order_by,
            read_mask: asked.read_mask.as_ref(),
        };
        let search = Search::open::<CapabilityItem<'_>>(&what, caller)?;
        let moment = search.moment(&self.pins, |reads_status| self.now(reads_status))?;
        let view = self.view(caller, &moment.catalog);
        let platform = view.parent_platform(&asked.parent)?;
        let item = |seen| CapabilityItem { seen, view, status: moment.status.as_deref() };
        let after = search.after(CapabilityName::parse)?;
        let items = |after: Option<&CapabilityName>| {
            view.capabilities(&platform, &Level::Any, after.cloned()).map(item)
        };
        let mut found = search.find(after.as_ref(), items, |name| view.capability(name).map(item)).await?;
        let next_page_token = search.page(&mut found, &self.pins, &moment);
        let capabilities = search.show(found.iter().map(|item| item.seen.show()))?;
        Ok(pb::ListCapabilitiesResponse { capabilities, next_page_token })
    }

    /// Versions.
    pub(super) async fn versions(
        &self,
        caller: &Caller,
        asked: &pb::ListVersionsRequest,
    ) -> Result<pb::ListVersionsResponse, Fault> {
        let what = Asked {
            method: "ListVersions",
            parent: &asked.parent,
            page: (asked.page_size, &asked.page_token),
            filter: &asked.filter,
            order_by: &asked.order_by,
            read_mask: asked.read_mask.as_ref(),
        };
        let search = Search::open::<VersionItem<'_>>(&what, caller)?;
        let moment = search.moment(&self.pins, |reads_status| self.now(reads_status))?;
        let view = self.view(caller, &moment.catalog);
        let (platform, capability) = view.parent_capability(&asked.parent)?;
        let status = moment.status.as_deref();
        let item = |offering| VersionItem { offering, status };
        let after = search.after(VersionName::parse)?;
        let items = |after: Option<&VersionName>| {
            let all = view.versions(&platform, &capability, after.cloned());
            all.map(|offering| item(offering.as_ref()))
        };
        let mut found = search.find(after.as_ref(), items, |name| view.version(name).map(item)).await?;
        let next_page_token = search.page(&mut found, &self.pins, &moment);
        let versions = search.show(found.iter().map(|item| view.show_version(item.offering)))?;
        Ok(pb::ListVersionsResponse { versions, next_page_token })
    }

    /// Producers.
    pub(super) async fn producers(
        &self,
        caller: &Caller,
        asked: &pb::ListProducersRequest,
    ) -> Result<pb::ListProducersResponse, Fault> {
        let what = Asked {
            method: "ListProducers",
            parent: &asked.parent,
            page: (asked.page_size, &asked.page_token),
            filter: &asked.filter,
            order_by: &asked.order_by,
            read_mask: asked.read_mask.as_ref(),
        };
        let search = Search::open::<ProducerItem<'_>>(&what, caller)?;
        let moment = search.moment(&self.pins, |reads_status| self.now(reads_status))?;
        let view = self.view(caller, &moment.catalog);
        let platform = view.parent_platform(&asked.parent)?;
        let item = |(producer, versions)| ProducerItem { producer, versions };
        let after = search.after(ProducerName::parse)?;
        let items = |after: Option<&ProducerName>| view.producers(&platform, after.cloned()).map(item);
        let mut found = search.find(after.as_ref(), items, |name| view.producer(name).map(item)).await?;
        let next_page_token = search.page(&mut found, &self.pins, &moment);
        let shown = found.into_iter().map(|item| view::show_producer(item.producer, item.versions));
        Ok(pb::ListProducersResponse { producers: search.show(shown)?, next_page_token })
    }

    /// What there is now.
    fn now(&self, reads_status: bool) -> Moment {
        let status = reads_status.then(|| self.board.federation());
        Moment { catalog: self.reader.snapshot(), status }
    }
}
