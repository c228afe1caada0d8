//! Any federation of files under a few names: each asker finds one file under one name, and all that it imports.

use crate::descriptors::{Limits, Seen, Set, Sight, View, index};
use crate::model::*;
use proptest::prelude::*;
use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Names that invite quarrels: the last three are, or become, what files of others are renamed to.
const NAMES: [&str; 6] =
    ["c.proto", "b.proto", "a.proto", "x@1.0.0/a.proto", "p0.example/a.proto", "p1.example/x@1.0.0/a.proto"];

/// One version: by name, what the file holds (of three contents) and which of the names before it imports.
type Files = Vec<Option<(u8, u8)>>;

/// Sees these versions.
struct Eyes(HashMap<VersionName, Arc<Version>>);

impl Sight for Eyes {
    fn sees(&self, version: &VersionName) -> Option<Seen> {
        self.0.get(version).map(|version| Seen { version: version.clone(), is_routable: true })
    }

    fn sees_platform(&self, platform: &str) -> bool {
        self.0.keys().any(|version| version.platform.as_str() == platform)
    }

    fn right(&self, platform: &PlatformName, package: &str) -> usize {
        usize::from(platform.as_str().starts_with(package))
    }
}

fn set(files: &Files) -> Set {
    let file = |(at, name): (usize, &&str)| {
        let (content, imports) = files.get(at).copied().flatten()?;
        let has = |other: &usize| imports >> other & 1 == 1 && files[*other].is_some();
        let dependency = (0..at).filter(has).map(|other| NAMES[other].to_owned()).collect();
        let message = DescriptorProto { name: Some(format!("N{at}C{content}")), ..Default::default() };
        let (name, package) = (Some((*name).to_owned()), Some("p1".to_owned()));
        Some(FileDescriptorProto {
            name,
            package,
            dependency,
            message_type: vec![message],
            ..Default::default()
        })
    };
    let file = NAMES.iter().enumerate().filter_map(file).collect();
    let set = Set::screen(&FileDescriptorSet { file }.encode_to_vec(), &Limits::default()).unwrap();
    assert_eq!(set.warnings(), []);
    set
}

fn version(platform: usize, number: usize, set: &Set) -> Version {
    let name = format!("platforms/p{platform}.example/capabilities/x/versions/{}.0.0", number + 1);
    Version { descriptors: Some(set.digest()), digest: set.digest(), ..Version::plain(&name) }
}

fn files() -> impl Strategy<Value = Files> {
    prop::collection::vec(prop::option::weighted(0.8, (0..3u8, any::<u8>())), NAMES.len())
}

proptest! {
    #[test]
    fn one_name_is_one_file(
        federation in prop::collection::vec((files(), any::<bool>()), 1..9),
        removed in any::<prop::sample::Index>(),
    ) {
        let own = Set::screen(&[], &Limits::default()).unwrap();
        let (mut writer, reader) = index(&own);
        let mut eyes = Eyes(HashMap::new());
        let mut sets = HashMap::new();
        for (at, (files, is_visible)) in federation.iter().enumerate() {
            let set = set(files);
            let version = version(at % 3, at / 3, &set);
            writer.put(version.name.clone(), &set);
            if *is_visible {
                eyes.0.insert(version.name.clone(), Arc::new(version.clone()));
            }
            sets.insert(version.name, set);
        }
        let gone = removed.index(federation.len());
        let gone = version(gone % 3, gone / 3, &own).name;
        writer.remove(&gone);
        eyes.0.remove(&gone);

        let snapshot = reader.snapshot();
        let view = View::new(&snapshot, &eyes);
        let mut known: HashMap<String, Vec<u8>> = HashMap::new();
        for name in eyes.0.keys() {
            for file in sets[name].files() {
                let (symbol, _) = &file.declared()[0];
                let answer = view.file_with_symbol_of(name, symbol).unwrap();
                let told: Vec<_> = answer.iter().map(|file| FileDescriptorProto::decode(&file[..]).unwrap()).collect();
                let names: HashSet<_> = told.iter().map(|file| file.name()).collect();
                prop_assert_eq!(names.len(), told.len());
                prop_assert!(told[0].message_type[0].name() == symbol.trim_start_matches("p1."));
                for (file, bytes) in told.iter().zip(&answer) {
                    prop_assert!(file.dependency.iter().all(|import| names.contains(import.as_str())));
                    let before = known.insert(file.name().to_owned(), bytes.to_vec());
                    prop_assert!(before.is_none_or(|before| before == *bytes), "{} is two files", file.name());
                }
            }
        }
        for (name, bytes) in &known {
            prop_assert_eq!(&view.file_by_name(name).unwrap()[0][..], &bytes[..]);
        }
    }
}
