//! Lists in pages of every size.

use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn the_pages_of_a_list_are_the_list(sketches in sketches(), size in 1..6_i32, who in 0..3_usize) {
        let world = World::new(&sketches);
        let world = &world;
        let who = PLATFORMS[who];
        let [versions, capabilities, producers, platforms] = expected(&sketches, who);
        futures::executor::block_on(async {
            let parent = "platforms/-/capabilities/-";
            assert_eq!(all(|token| async move { world.versions(who, parent, size, &token).await }).await, versions);
            let parent = "platforms/-";
            assert_eq!(all(|token| async move { world.capabilities(who, parent, size, &token).await }).await, capabilities);
            assert_eq!(all(|token| async move { world.producers(who, parent, size, &token).await }).await, producers);
            assert_eq!(all(|token| async move { world.platforms(who, size, &token).await }).await, platforms);
            for platform in &platforms {
                let of = |names: &[String]| {
                    names.iter().filter(|name| name.starts_with(&format!("{platform}/"))).cloned().collect::<Vec<_>>()
                };
                let found = all(|token| async move { world.producers(who, platform, size, &token).await }).await;
                assert_eq!(found, of(&producers));
                let parent = &format!("{platform}/capabilities/-");
                let found = all(|token| async move { world.versions(who, parent, size, &token).await }).await;
                assert_eq!(found, of(&versions));
            }
            let of_c1: Vec<_> = versions.iter().filter(|name| name.contains("/capabilities/c1/")).cloned().collect();
            let parent = "platforms/-/capabilities/c1";
            assert_eq!(all(|token| async move { world.versions(who, parent, size, &token).await }).await, of_c1);
        });
    }

    #[test]
    fn a_change_between_two_pages_changes_nothing(
        first in sketches(),
        second in sketches(),
        size in 1..4_i32,
    ) {
        let mut world = World::new(&first);
        let who = PLATFORMS[0];
        futures::executor::block_on(async {
            let parent = "platforms/-/capabilities/-";
            let (before, _) = world.versions(who, parent, 1000, "").await.unwrap();
            let (mut found, mut token) = world.versions(who, parent, size, "").await.unwrap();
            // What does not fit what stands is refused, and the rest replaces what was declared before.
            for (producer, versions) in declared(&second) {
                world.put(producer, versions);
            }
            while !token.is_empty() {
                let (more, next) = world.versions(who, parent, size, &token).await.unwrap();
                found.extend(more);
                token = next;
            }
            assert_eq!(found, before);
        });
    }
}

/// All pages of a list, one behind the other.
async fn all<F>(mut page: impl FnMut(String) -> F) -> Vec<String>
where
    F: Future<Output = Result<(Vec<String>, String), Status>>,
{
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let (items, next) = page(token).await.unwrap();
        found.extend(items);
        if next.is_empty() {
            return found;
        }
        token = next;
    }
}

pub(super) fn sketches() -> impl Strategy<Value = Vec<Sketch>> {
    let audience = prop::collection::btree_set(0..3_usize, 0..3);
    prop::collection::vec((0..3_usize, 0..4_usize, 0..4_u64, 0..3_usize, audience), 0..30)
}

/// What `who` should see: versions in the order of the list, capabilities, producers, platforms.
fn expected(sketches: &[Sketch], who: &str) -> [Vec<String>; 4] {
    let declared = declared(sketches);
    let sees = |version: &&Version| {
        version.name.platform.as_str() == who || version.visibility.platforms.contains(who)
    };
    let mut versions: Vec<_> = declared.iter().flat_map(|(_, versions)| versions).filter(sees).collect();
    versions.sort_by(|a, b| {
        let key = |v: &Version| v.name.capability_name();
        key(a).cmp(&key(b)).then_with(|| b.name.version.cmp(&a.name.version))
    });
    let capabilities: BTreeSet<_> = versions.iter().map(|v| v.name.capability_name()).collect();
    let producers: BTreeSet<_> = declared
        .iter()
        .filter(|(_, versions)| versions.iter().any(|v| sees(&v)))
        .map(|(name, _)| name)
        .collect();
    let platforms: BTreeSet<_> =
        versions.iter().map(|v| v.name.platform.to_string()).chain([who.to_owned()]).collect();
    [
        versions.iter().map(|v| v.name.to_string()).collect(),
        capabilities.iter().map(ToString::to_string).collect(),
        producers.iter().map(ToString::to_string).collect(),
        platforms.iter().map(|p| format!("platforms/{p}")).collect(),
    ]
}
