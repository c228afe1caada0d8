//! `GetDependencyGraph`: what something stands on and who stands on it, as the caller may see it.

use super::super::fault::Fault;
use super::invalid;
use super::view::View;
use crate::catalog::{Edge, Graph, Node, Sight, Ways};
use crate::model::{CapabilityName, PlatformName, Version, VersionName};
use crate::wire::pb::portolan::catalog::v1 as pb;

/// No graph is deeper.
const DEEPEST: i32 = 32;

impl Sight for View<'_> {
    fn sees(&self, version: &Version) -> bool {
        View::sees(*self, version)
    }

    fn inspects(&self, platform: &PlatformName) -> bool {
        self.policy.may_inspect(self.caller, platform)
    }
}

/// The graph that is asked for.
pub(super) fn get(
    view: View<'_>,
    asked: &pb::GetDependencyGraphRequest,
) -> Result<pb::DependencyGraph, Fault> {
    let (capability, version) = match VersionName::parse(&asked.name) {
        Ok(version) => (version.capability_name(), Some(version)),
        Err(_) => (CapabilityName::parse(&asked.name).map_err(|_| not_a_name(&asked.name))?, None),
    };
    let exists = match &version {
        Some(version) => view.version(version).is_some(),
        None => view.capability(&capability).is_some(),
    };
    if !exists {
        return Err(Fault::not_found(&asked.name));
    }
    let depth = match asked.depth {
        0 => DEEPEST,
        depth @ 1..=DEEPEST => depth,
        _ => {
            let message = format!("depth is 1 to {DEEPEST}; 0 is {DEEPEST}");
            return Err(Fault::invalid("INVALID_DEPTH", message));
        }
    };
    let direction = pb::Direction::try_from(asked.direction);
    let direction = direction.map_err(|_| Fault::invalid("INVALID_DIRECTION", "direction is not known"))?;
    let ways = Ways {
        dependencies: direction != pb::Direction::Dependants,
        dependants: direction != pb::Direction::Dependencies,
        depth: usize::try_from(depth).unwrap_or_default(),
    };
    Ok(show(view.snapshot.graph(&capability, version.as_ref(), ways, &view)))
}

fn not_a_name(name: &str) -> Fault {
    invalid(format!(
        "{name:.80?} is neither platforms/{{platform}}/capabilities/{{capability}} nor a version of one"
    ))
}

fn show(graph: Graph) -> pb::DependencyGraph {
    let cycle = |names: Vec<VersionName>| names.iter().map(ToString::to_string).collect();
    pb::DependencyGraph {
        nodes: graph
            .nodes
            .iter()
            .map(|(node, known)| pb::DependencyNode { name: name(node), known: *known })
            .collect(),
        edges: graph.edges.into_iter().map(edge).collect(),
        cycles: graph.cycles.into_iter().map(|names| pb::DependencyCycle { names: cycle(names) }).collect(),
        truncated: graph.is_truncated,
    }
}

fn edge(edge: Edge) -> pb::DependencyEdge {
    pb::DependencyEdge {
        from: edge.from.to_string(),
        to: name(&edge.to),
        range: edge.range,
        prerequisite: edge.is_prerequisite,
    }
}

fn name(node: &Node) -> String {
    match node {
        Node::Capability(name) => name.to_string(),
        Node::Version(name) => name.to_string(),
    }
}
