//! Which vertices are one step of the Dockerfile: the build's own, and those of other builds whose work it shares.

use std::collections::HashMap;

/// `[build 2/4] RUN make`: stage, place, number of places, and the rest.
type Name<'a> = (&'a str, u32, u32, &'a str);

/// The vertices that were told of, by what they are called.
#[derive(Debug, Default)]
pub(super) struct Twins {
    /// How many steps a stage has: the build's own are told of first.
    places: HashMap<String, u32>,
    /// Of a stage and an instruction: the place of each, and its own vertex.
    own: HashMap<(String, String), Vec<(u32, String)>>,
    /// From a vertex of others to the build's own.
    first: HashMap<String, String>,
}

impl Twins {
    /// Takes in what a vertex is called.
    pub(super) fn note(&mut self, name: &str, digest: &str) {
        let Some((stage, place, places, rest)) = parse(name) else { return };
        if self.first.contains_key(digest) {
            return;
        }
        let own_places = *self.places.entry(stage.to_owned()).or_insert(places);
        let known = self.own.entry((stage.to_owned(), rest.to_owned())).or_default();
        if known.iter().any(|(_, own)| own == digest) {
            return;
        }
        // Another commit may have more steps before this one.
        let near = known.iter().filter(|(at, _)| *at == place || places != own_places);
        match near.min_by_key(|(at, _)| at.abs_diff(place)) {
            Some((_, own)) => drop(self.first.insert(digest.to_owned(), own.clone())),
            None => known.push((place, digest.to_owned())),
        }
    }

    /// The build's own vertex of a step.
    pub(super) fn first<'a>(&'a self, digest: &'a str) -> &'a str {
        self.first.get(digest).map_or(digest, String::as_str)
    }

    /// All vertices of a step, its own among them.
    pub(super) fn of<'a>(&'a self, digest: &'a str) -> impl Iterator<Item = &'a str> {
        let own = self.first(digest);
        let others = self.first.iter().filter(move |(_, first)| first.as_str() == own).map(|(other, _)| other.as_str());
        std::iter::once(own).chain(others)
    }
}

/// Whether a vertex is a step of the Dockerfile.
pub(super) fn is_step(name: &str) -> bool {
    parse(name).is_some()
}

/// Only the Dockerfile's own steps have a place.
fn parse(name: &str) -> Option<Name<'_>> {
    let (inside, rest) = name.strip_prefix('[')?.split_once("] ")?;
    let (stage, place) = inside.rsplit_once(' ').unwrap_or(("", inside));
    let (place, places) = place.split_once('/')?;
    Some((stage, place.parse().ok()?, places.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vertex_of_another_build_is_the_one_of_the_same_name() {
        let mut twins = Twins::default();
        for (name, digest) in [
            ("[1/3] FROM a", "a"),
            ("[2/3] RUN true", "b"),
            ("[3/3] RUN true", "c"),
            ("[build 3/3] RUN true", "d"),
            ("[internal] load build context", "e"),
            ("exporting to image", "f"),
            // Others.
            ("[2/3] RUN true", "B"),
            ("[3/3] RUN true", "C"),
            ("[4/4] RUN true", "C4"),
            ("[2/4] RUN false", "x"),
            ("[internal] load build context", "E"),
        ] {
            twins.note(name, digest);
        }
        let first = |digest: &'static str| twins.first(digest).to_owned();
        assert_eq!(["a", "b", "c", "d", "e", "f", "x", "E"].map(first), ["a", "b", "c", "d", "e", "f", "x", "E"]);
        assert_eq!(["B", "C", "C4"].map(first), ["b", "c", "c"]);
        let mut all: Vec<&str> = twins.of("C").collect();
        all.sort_unstable();
        assert_eq!(all, ["C", "C4", "c"]);
    }

    #[test]
    fn what_was_said_once_holds() {
        let mut twins = Twins::default();
        for digest in ["a", "b", "a", "b"] {
            twins.note("[1/1] RUN x", digest);
        }
        assert_eq!((twins.first("a"), twins.first("b")), ("a", "a"));
    }
}
