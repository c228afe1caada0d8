//! `portolan catalog graph`: what something stands on, and who stands on it, as trees.

use super::CatalogServiceClient;
use crate::cli::call::one_line;
use crate::cli::connection::Connection;
use crate::cli::output::{self, Form, clean};
use crate::client::pb::portolan::catalog::v1 as pb;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan catalog graph platforms/payments.example/capabilities/ledger
  portolan catalog graph platforms/payments.example/capabilities/ledger/versions/1.2.0 --direction dependants
  portolan catalog graph platforms/data.example/capabilities/search -o json | jq '.cycles'";

/// Show what something stands on, and who stands on it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A capability or a version, by resource name
    #[arg(value_name = "NAME")]
    name: String,
    /// Which way to look
    #[arg(long, value_enum, default_value = "both")]
    direction: Direction,
    /// How many steps, 1 to 32
    #[arg(long, value_name = "STEPS", default_value = "32", value_parser = clap::value_parser!(i32).range(1..=32))]
    depth: i32,
    /// The form of the answer
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Direction {
    /// Both
    Both,
    /// What it stands on
    Dependencies,
    /// Who stands on it
    Dependants,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut client = CatalogServiceClient::new(args.connection.open().await?);
    let direction = match args.direction {
        Direction::Both => pb::Direction::Unspecified,
        Direction::Dependencies => pb::Direction::Dependencies,
        Direction::Dependants => pb::Direction::Dependants,
    };
    let request = pb::GetDependencyGraphRequest {
        name: args.name.clone(),
        direction: direction.into(),
        depth: args.depth,
    };
    let answer = client.get_dependency_graph(request).await;
    let answer = answer.map_err(|status| anyhow::anyhow!(one_line(&status)))?.into_inner();
    let graph = answer.graph.unwrap_or_default();
    if args.output == Form::Json {
        output::say(format!("{:#}", output::json("portolan.catalog.v1.DependencyGraph", &graph)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines = Vec::new();
    if args.direction != Direction::Dependants {
        lines.push("stands on".to_owned());
        Tree::new(&graph, |edge| (&edge.from, &edge.to)).print(&args.name, &mut lines);
    }
    if args.direction != Direction::Dependencies {
        lines.push("is stood on by".to_owned());
        Tree::new(&graph, |edge| (&edge.to, &edge.from)).print(&args.name, &mut lines);
    }
    for cycle in &graph.cycles {
        let first = cycle.names.first().map(String::as_str).unwrap_or_default();
        lines.push(format!("circle: {} -> {first}", cycle.names.join(" -> ")));
    }
    if graph.truncated {
        lines.push("there is more than is shown".to_owned());
    }
    output::say(clean(&lines.join("\n")))?;
    Ok(ExitCode::SUCCESS)
}

/// The graph as seen from one end.
struct Tree<'a> {
    below: BTreeMap<&'a str, Vec<(&'a str, &'a pb::DependencyEdge)>>,
    unknown: BTreeSet<&'a str>,
    shown: BTreeSet<&'a str>,
}

impl<'a> Tree<'a> {
    fn new(graph: &'a pb::DependencyGraph, ends: fn(&pb::DependencyEdge) -> (&String, &String)) -> Self {
        let mut below: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for edge in &graph.edges {
            let (above, other) = ends(edge);
            below.entry(above.as_str()).or_default().push((other.as_str(), edge));
        }
        let unknown = graph.nodes.iter().filter(|node| !node.known).map(|node| node.name.as_str()).collect();
        Self { below, unknown, shown: BTreeSet::new() }
    }

    /// A capability is printed with all of its versions that have something below them.
    fn print(mut self, name: &str, lines: &mut Vec<String>) {
        let is_root = |found: &str| found == name || found.starts_with(&format!("{name}/versions/"));
        let roots: Vec<&str> = self.below.keys().copied().filter(|found| is_root(found)).collect();
        if roots.is_empty() {
            lines.push("  nothing".to_owned());
        }
        for root in roots {
            lines.push(format!("  {root}"));
            self.branch(root, 2, lines);
        }
    }

    fn branch(&mut self, name: &'a str, depth: usize, lines: &mut Vec<String>) {
        self.shown.insert(name);
        for (other, edge) in self.below.get(name).cloned().unwrap_or_default() {
            let range = if edge.range.is_empty() { String::new() } else { format!("  {}", edge.range) };
            let owed = if edge.prerequisite { "  (owed by the consumer)" } else { "" };
            let unknown = if self.unknown.contains(other) { "  (not known)" } else { "" };
            let is_shown = self.shown.contains(other);
            let above = if is_shown && self.below.contains_key(other) { "  (see above)" } else { "" };
            lines.push(format!("{:indent$}{other}{range}{owed}{unknown}{above}", "", indent = depth * 2));
            if !is_shown {
                self.branch(other, depth + 1, lines);
            }
        }
    }
}
