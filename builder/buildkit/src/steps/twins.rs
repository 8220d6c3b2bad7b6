//! Which vertices are one step of the Dockerfile: the build's own, and those of other builds whose work it shares.
//!
//! The build's own graph is announced when it is loaded, from its last vertex on. Of a vertex that another build has too,
//! with the same digest, the first word may be how far that one is; it is own all the same, since the graph leads to it.
//! Where no word comes before what happened, all of the graph was there: then every vertex is own.

use std::collections::{HashMap, HashSet};

use bollard_buildkit_proto::moby::buildkit::v1::Vertex;

/// `[build 2/4] RUN make`.
struct Name<'a> {
    stage: &'a str,
    place: u32,
    text: &'a str,
    is_link: bool,
}

/// `COPY --link` is two vertices: a layer of what is copied, and that layer put on those below it, which has this before
/// its text.
const LINK: &str = "LINK ";

/// The vertices that were told of.
#[derive(Debug, Default)]
pub(super) struct Twins {
    own: HashMap<String, Own>,
    /// From an instruction to the build's own vertices of it.
    by_text: HashMap<String, Vec<String>>,
    /// What each vertex is made of.
    inputs: HashMap<String, Vec<String>>,
    /// All that announced vertices are made of, and they themselves.
    reached: HashSet<String>,
    /// Whether a step was announced.
    has_graph: bool,
    /// From a vertex to the first one of its step.
    first: HashMap<String, String>,
    /// The build's own vertices among those.
    linked: HashSet<String>,
    /// Other builds' vertices that are no step of this build.
    foreign: HashSet<String>,
}

#[derive(Debug)]
struct Own {
    stage: String,
    place: u32,
    is_link: bool,
    inputs: Vec<String>,
}

impl Twins {
    /// Takes in all vertices of a message before anything is made of it.
    pub(super) fn note(&mut self, vertexes: &[Vertex]) {
        let mut new = Vec::new();
        for vertex in vertexes {
            if self.inputs.contains_key(&vertex.digest) {
                continue;
            }
            self.inputs.insert(vertex.digest.clone(), vertex.inputs.clone());
            let name = parse(&vertex.name);
            let is_announced = name.is_some() && vertex.started.is_none() && vertex.completed.is_none();
            self.has_graph |= is_announced;
            if is_announced || self.reached.contains(&vertex.digest) {
                self.reach(&vertex.digest);
            }
            new.extend(name.map(|name| (vertex, name)));
        }
        // What was taken for another build's, and is not.
        self.foreign.retain(|digest| !self.reached.contains(digest));
        let is_own = |vertex: &Vertex| !self.has_graph || self.reached.contains(&vertex.digest);
        let (own, theirs): (Vec<_>, Vec<_>) = new.into_iter().partition(|(vertex, _)| is_own(vertex));
        for (vertex, name) in own {
            self.put_own(vertex, &name);
        }
        for (vertex, name) in theirs {
            match self.own_of(vertex, &name) {
                Some(own) => drop(self.first.insert(vertex.digest.clone(), own)),
                None => drop(self.foreign.insert(vertex.digest.clone())),
            }
        }
    }

    /// Notes a vertex and all that it is made of, as far as that was told.
    fn reach(&mut self, digest: &str) {
        let mut ahead = vec![digest.to_owned()];
        while let Some(digest) = ahead.pop() {
            let inputs = self.inputs.get(&digest).into_iter().flatten();
            ahead.extend(inputs.filter(|input| !self.reached.contains(*input)).cloned());
            self.reached.insert(digest);
        }
    }

    fn put_own(&mut self, vertex: &Vertex, name: &Name<'_>) {
        let is_other_half = |own: &&String| {
            let own = &self.own[*own];
            own.stage == name.stage && own.place == name.place && own.is_link != name.is_link
        };
        if let Some(half) = self.by_text.get(name.text).into_iter().flatten().find(is_other_half).cloned() {
            self.first.insert(vertex.digest.clone(), half);
            self.linked.insert(vertex.digest.clone());
            return;
        }
        let own = Own {
            stage: name.stage.to_owned(),
            place: name.place,
            is_link: name.is_link,
            inputs: vertex.inputs.clone(),
        };
        self.own.insert(vertex.digest.clone(), own);
        self.by_text.entry(name.text.to_owned()).or_default().push(vertex.digest.clone());
    }

    /// The build's own vertex that another build's is like. Another commit may have more steps and stages before it.
    fn own_of(&self, vertex: &Vertex, name: &Name<'_>) -> Option<String> {
        let alike = self.by_text.get(name.text)?;
        let inputs: Vec<&str> = vertex.inputs.iter().map(|input| self.first(input)).collect();
        let difference = |digest: &&String| {
            let own = &self.own[*digest];
            let is_same = own.stage == name.stage && own.place == name.place;
            let has_inputs = own.inputs.iter().any(|input| inputs.contains(&self.first(input)));
            (!is_same, !has_inputs, own.stage != name.stage, own.place.abs_diff(name.place))
        };
        alike.iter().min_by_key(difference).cloned()
    }

    /// The first vertex of a step.
    pub(super) fn first<'a>(&'a self, digest: &'a str) -> &'a str {
        self.first.get(digest).map_or(digest, String::as_str)
    }

    /// All vertices of a step, the first among them.
    pub(super) fn of<'a>(&'a self, digest: &'a str) -> impl Iterator<Item = &'a str> {
        let own = self.first(digest);
        let others = self.first.iter().filter(move |(_, first)| first.as_str() == own).map(|(other, _)| other.as_str());
        std::iter::once(own).chain(others)
    }

    /// Whether a vertex is one of this build.
    pub(super) fn is_own(&self, digest: &str) -> bool {
        !self.first.contains_key(digest) || self.linked.contains(digest)
    }

    /// Whether a vertex belongs to another build, and to no step of this one.
    pub(super) fn is_foreign(&self, digest: &str) -> bool {
        self.foreign.contains(digest)
    }
}

/// Whether a vertex is a step of the Dockerfile.
pub(super) fn is_step(name: &str) -> bool {
    parse(name).is_some()
}

/// What a step is called, both halves of `COPY --link` alike.
pub(super) fn shown(name: &str) -> String {
    name.replacen(&format!("] {LINK}"), "] ", 1)
}

/// Only the Dockerfile's own steps have a place.
fn parse(name: &str) -> Option<Name<'_>> {
    let (inside, text) = name.strip_prefix('[')?.split_once("] ")?;
    let (stage, place) = inside.rsplit_once(' ').unwrap_or(("", inside));
    let (place, places) = place.split_once('/')?;
    places.parse::<u32>().ok()?;
    let plain = text.strip_prefix(LINK);
    Some(Name { stage, place: place.parse().ok()?, text: plain.unwrap_or(text), is_link: plain.is_some() })
}

#[cfg(test)]
mod tests;
