//! What stands on what: requirements resolved to the versions that fulfil them, walked from both ends.

use super::Snapshot;
use crate::model::{CapabilityName, PlatformName, Requirement, Stage, Version, VersionName};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A graph has at most so many nodes.
const MOST_NODES: usize = 500;
/// A graph has at most so many edges.
const MOST_EDGES: usize = 4_000;

/// Something that stands on others, or is stood on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A capability of which no version will do.
    Capability(CapabilityName),
    /// A version.
    Version(VersionName),
}

/// One need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Who needs.
    pub from: VersionName,
    /// What is needed.
    pub to: Node,
    /// Whether the consumer owes it, or the producer.
    pub is_prerequisite: bool,
    /// The range that it must be in, as text; empty is any.
    pub range: String,
}

/// What stands on what, as far as somebody may see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// All nodes, and whether each is in the catalogue.
    pub nodes: BTreeMap<Node, bool>,
    /// All needs.
    pub edges: BTreeSet<Edge>,
    /// Circles of dependencies: the shortest one through each node that is in one, from its least name on.
    pub cycles: BTreeSet<Vec<VersionName>>,
    /// Whether more was there than is shown.
    pub is_truncated: bool,
}

/// Which ways to walk.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// To what something stands on.
    pub dependencies: bool,
    /// To who stands on it.
    pub dependants: bool,
    /// How many steps.
    pub depth: usize,
}

/// What somebody may see.
pub trait Sight {
    /// Whether the version exists for them.
    fn sees(&self, version: &Version) -> bool;

    /// Whether they may know what the platform's versions stand on, even where they do not see it.
    fn inspects(&self, platform: &PlatformName) -> bool;
}

impl Snapshot {
    /// The versions that name a capability as what they, or their consumers, need.
    pub fn dependants(&self, capability: &CapabilityName) -> impl Iterator<Item = &VersionName> {
        self.needs.get(capability).into_iter().flat_map(|names| names.iter())
    }

    /// The graph around a capability, or around one version of it.
    pub fn graph(
        &self,
        capability: &CapabilityName,
        version: Option<&VersionName>,
        ways: Ways,
        sight: &impl Sight,
    ) -> Graph {
        let mut walk = Walk { snapshot: self, sight, graph: Graph::default() };
        let entry = self.capability(capability);
        let offerings = entry.into_iter().flat_map(|entry| &entry.offerings);
        let wanted = offerings
            .map(|offering| &offering.version)
            .filter(|found| version.is_none_or(|version| found.name == *version) && sight.sees(found));
        let roots: Vec<Node> = wanted.map(|version| Node::Version(version.name.clone())).collect();
        for root in &roots {
            walk.node(root.clone());
        }
        if ways.dependencies {
            walk.walk(roots.clone(), ways.depth, Walk::needs_of);
        }
        if ways.dependants {
            // Whoever needs a version that is not there needs the capability all the same.
            let whole = version.is_none().then(|| Node::Capability(capability.clone()));
            walk.walk(roots.into_iter().chain(whole).collect(), ways.depth, Walk::needed_by);
        }
        let mut graph = walk.graph;
        graph.cycles = cycles(&graph.edges);
        graph
    }
}

struct Walk<'a, S> {
    snapshot: &'a Snapshot,
    sight: &'a S,
    graph: Graph,
}

impl<'a, S: Sight> Walk<'a, S> {
    /// Walks step by step; `edges` are those of a node, each with the node at its other end.
    fn walk(&mut self, from: Vec<Node>, depth: usize, edges: impl Fn(&Self, &Node) -> Vec<(Edge, Node)>) {
        let mut known: BTreeSet<Node> = from.iter().cloned().collect();
        let mut edge_of: VecDeque<(Node, usize)> = from.into_iter().map(|node| (node, 0)).collect();
        while let Some((node, steps)) = edge_of.pop_front() {
            if steps == depth {
                self.graph.is_truncated |=
                    edges(self, &node).iter().any(|(edge, _)| !self.graph.edges.contains(edge));
                continue;
            }
            for (edge, other) in edges(self, &node) {
                if !self.node(other.clone()) || !self.node(edge.to.clone()) || !self.edge(edge) {
                    return;
                }
                if known.insert(other.clone()) {
                    edge_of.push_back((other, steps + 1));
                }
            }
        }
    }

    /// False if there is no room for another.
    fn node(&mut self, node: Node) -> bool {
        if !self.graph.nodes.contains_key(&node) {
            if self.graph.nodes.len() >= MOST_NODES {
                self.graph.is_truncated = true;
                return false;
            }
            let is_known = match &node {
                Node::Version(_) => true,
                Node::Capability(name) => self.sees_any(name),
            };
            self.graph.nodes.insert(node, is_known);
        }
        true
    }

    /// False if there is no room for another.
    fn edge(&mut self, edge: Edge) -> bool {
        if self.graph.edges.len() >= MOST_EDGES && !self.graph.edges.contains(&edge) {
            self.graph.is_truncated = true;
            return false;
        }
        self.graph.edges.insert(edge);
        true
    }

    /// What a node needs.
    fn needs_of(&self, node: &Node) -> Vec<(Edge, Node)> {
        let Node::Version(name) = node else { return Vec::new() };
        let Some(version) = self.version(name) else { return Vec::new() };
        let needs = needs(version).flat_map(|(need, owed)| self.resolve(version, need, owed));
        needs.map(|edge| (edge.clone(), edge.to)).collect()
    }

    /// Who needs a node.
    fn needed_by(&self, node: &Node) -> Vec<(Edge, Node)> {
        let capability = match node {
            Node::Capability(name) => name.clone(),
            Node::Version(name) => name.capability_name(),
        };
        let mut found = Vec::new();
        for version in self.snapshot.dependants(&capability).filter_map(|name| self.version(name)) {
            for (need, owed) in needs(version).filter(|(need, _)| need.capability == capability) {
                let edges = self.resolve(version, need, owed).into_iter().filter(|edge| edge.to == *node);
                found.extend(edges.map(|edge| (edge, Node::Version(version.name.clone()))));
            }
        }
        found
    }

    /// The versions that fulfil a need; if none does, the capability, where its name is no secret.
    fn resolve(&self, version: &Version, need: &Requirement, is_prerequisite: bool) -> Vec<Edge> {
        let edge = |to| Edge {
            from: version.name.clone(),
            to,
            is_prerequisite,
            range: if need.range == semver::VersionReq::STAR {
                String::new()
            } else {
                need.range.to_string()
            },
        };
        let entry = self.snapshot.capability(&need.capability);
        let standing = entry.into_iter().flat_map(|entry| &entry.offerings).map(|offering| &offering.version);
        let fulfil = standing.filter(|found| {
            found.stage != Stage::Retired && need.takes(&found.name) && self.sight.sees(found)
        });
        let edges: Vec<_> = fulfil.map(|found| edge(Node::Version(found.name.clone()))).collect();
        // What a consumer owes is said to it; what the owner stands on is the owner's to know.
        let is_open =
            is_prerequisite || self.sight.inspects(&version.name.platform) || self.sees_any(&need.capability);
        if edges.is_empty() && is_open {
            return vec![edge(Node::Capability(need.capability.clone()))];
        }
        edges
    }

    fn version(&self, name: &VersionName) -> Option<&'a Version> {
        let version = self.snapshot.offering(name).map(|offering| offering.version.as_ref());
        version.filter(|version| self.sight.sees(version))
    }

    fn sees_any(&self, capability: &CapabilityName) -> bool {
        let entry = self.snapshot.capability(capability);
        entry.is_some_and(|entry| entry.offerings.iter().any(|offering| self.sight.sees(&offering.version)))
    }
}

/// What a version, or its consumer, needs; and whether the consumer owes it.
fn needs(version: &Version) -> impl Iterator<Item = (&Requirement, bool)> {
    let own = version.facts.depends_on.iter().map(|need| (need, false));
    own.chain(version.facts.prerequisites.iter().map(|need| (need, true)))
}

/// The shortest circle through each node that is in one, each once. What a consumer owes makes no circle.
fn cycles(edges: &BTreeSet<Edge>) -> BTreeSet<Vec<VersionName>> {
    let mut next: BTreeMap<&VersionName, BTreeSet<&VersionName>> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| !edge.is_prerequisite) {
        if let Node::Version(to) = &edge.to {
            next.entry(&edge.from).or_default().insert(to);
        }
    }
    // What leads nowhere is in no circle.
    loop {
        let live: BTreeSet<&VersionName> = next.keys().copied().collect();
        next.values_mut().for_each(|targets| targets.retain(|target| live.contains(target)));
        next.retain(|_, targets| !targets.is_empty());
        if next.len() == live.len() {
            break;
        }
    }
    next.keys().filter_map(|start| circle(start, &next)).collect()
}

fn circle(
    start: &VersionName,
    next: &BTreeMap<&VersionName, BTreeSet<&VersionName>>,
) -> Option<Vec<VersionName>> {
    let mut came_from: BTreeMap<&VersionName, &VersionName> = BTreeMap::new();
    let mut edge_of = VecDeque::from([start]);
    while let Some(node) = edge_of.pop_front() {
        for target in next.get(node).into_iter().flatten() {
            if came_from.contains_key(target) {
                continue;
            }
            came_from.insert(target, node);
            if *target != start {
                edge_of.push_back(target);
                continue;
            }
            let mut names = vec![node];
            while let Some(last) = names.last().copied().filter(|last| *last != start) {
                names.push(came_from.get(last)?);
            }
            names.reverse();
            let least = names.iter().enumerate().min_by_key(|(_, name)| **name)?.0;
            names.rotate_left(least);
            return Some(names.into_iter().cloned().collect());
        }
    }
    None
}
