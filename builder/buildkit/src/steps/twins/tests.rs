//! Vertices as they are told, and the steps that they are.

use super::*;

/// Announced, or told with what happened to it.
fn vertex(name: &str, digest: &str, inputs: &[&str], is_announced: bool) -> Vertex {
    let at = Some(bollard_buildkit_proto::google::protobuf::Timestamp { seconds: 1, nanos: 0 });
    Vertex {
        digest: digest.to_owned(),
        name: name.to_owned(),
        inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
        started: at.filter(|_| !is_announced),
        ..Vertex::default()
    }
}

/// Name, digest and inputs.
type Told<'a> = (&'a str, &'a str, &'a [&'a str]);

fn twins(own: &[Told<'_>], others: &[Told<'_>]) -> Twins {
    let mut twins = Twins::default();
    for (is_announced, list) in [(true, own), (false, others)] {
        let message = |is_announced| -> Vec<Vertex> {
            list.iter().map(|(name, digest, inputs)| vertex(name, digest, inputs, is_announced)).collect()
        };
        twins.note(&message(is_announced));
        // What was said once holds.
        twins.note(&message(false));
    }
    twins
}

#[test]
fn a_vertex_of_another_build_is_the_one_of_the_same_name() {
    let twins = twins(
        &[
            ("[1/3] FROM a", "a", &[]),
            ("[2/3] RUN true", "b", &["a"]),
            ("[3/3] RUN true", "c", &["b"]),
            ("[build 3/3] RUN true", "d", &[]),
            ("[internal] load build context", "e", &[]),
            ("exporting to image", "f", &[]),
        ],
        &[
            ("[2/3] RUN true", "B", &["a"]),
            ("[3/3] RUN true", "C", &["B"]),
            ("[4/4] RUN true", "C4", &["x"]),
            ("[2/4] RUN false", "x", &["a"]),
            ("[internal] load build context", "E", &[]),
        ],
    );
    let first = |digest: &'static str| twins.first(digest).to_owned();
    assert_eq!(["a", "b", "c", "d", "e", "f", "E"].map(first), ["a", "b", "c", "d", "e", "f", "E"]);
    assert_eq!(["B", "C", "C4"].map(first), ["b", "c", "c"]);
    assert!(twins.is_foreign("x") && !twins.is_foreign("E") && !twins.is_foreign("B"));
    let mut all: Vec<&str> = twins.of("C").collect();
    all.sort_unstable();
    assert_eq!(all, ["C", "C4", "c"]);
    assert!(twins.is_own("c") && !twins.is_own("C"));
}

#[test]
fn a_stage_of_another_name_or_number_makes_no_other_step() {
    let twins = twins(
        &[
            ("[build 1/3] FROM a", "a", &[]),
            ("[build 2/3] RUN x", "b", &["a"]),
            ("[build 3/3] RUN x", "c", &["b"]),
            ("[stage-1 1/1] COPY --from=build / /", "d", &["c"]),
        ],
        &[
            ("[compile 2/3] RUN x", "B", &["a"]),
            ("[compile 3/3] RUN x", "C", &["B"]),
            ("[stage-2 1/1] COPY --from=build / /", "D", &["C"]),
        ],
    );
    assert_eq!(["B", "C", "D"].map(|digest| twins.first(digest).to_owned()), ["b", "c", "d"]);
}

#[test]
fn both_halves_of_a_linked_copy_are_one_step_and_equal_instructions_are_two() {
    // The one that is put on those below is announced first, for it needs the other.
    let twins = twins(
        &[
            ("[x 2/2] LINK COPY --link a /a", "l", &["base", "c"]),
            ("[x 2/2] COPY --link a /a", "c", &["context"]),
            ("[y 1/1] COPY a /a", "p", &["context"]),
            ("[y 1/1] COPY a /a", "q", &["p"]),
        ],
        &[("[x 2/2] LINK COPY --link a /a", "L", &[])],
    );
    assert_eq!(["l", "c", "L", "p", "q"].map(|digest| twins.first(digest).to_owned()), ["l", "l", "l", "p", "q"]);
    assert!(twins.is_own("c") && !twins.is_own("L"));
    assert_eq!(shown("[x 2/2] LINK COPY --link a /a"), "[x 2/2] COPY --link a /a");
    assert_eq!(shown("[x 2/2] RUN echo '] LINK'"), "[x 2/2] RUN echo '] LINK'");
}

#[test]
fn a_step_whose_first_word_is_how_far_another_build_is_with_it_is_own() {
    // Two stages with equal steps on one image; another build is at the steps of both.
    let told: &[(Told<'_>, bool)] = &[
        (("[x 1/2] FROM a", "a", &[]), false),
        (("[x 2/2] RUN j", "x2", &["a"]), true),
        (("[y 2/3] RUN i", "y2", &["a"]), false),
        (("[y 3/3] RUN j", "y3", &["y2"]), false),
        (("[z 1/1] COPY --from=y / /", "z", &["x2", "y3"]), true),
        (("[y 2/2] RUN j", "Y", &["elsewhere"]), false),
    ];
    let mut twins = Twins::default();
    let message: Vec<Vertex> =
        told.iter().map(|((name, digest, inputs), is_announced)| vertex(name, digest, inputs, *is_announced)).collect();
    twins.note(&message);
    for digest in ["a", "x2", "y2", "y3", "z"] {
        assert!(twins.is_own(digest) && !twins.is_foreign(digest) && twins.first(digest) == digest, "{digest}");
    }
    assert_eq!(twins.first("Y"), "y3");
}

#[test]
fn where_nothing_is_announced_every_step_is_own() {
    let message = [
        vertex("[1/2] FROM a", "a", &[], false),
        vertex("[2/2] RUN b", "b", &["a"], false),
        vertex("x", "x", &[], true),
    ];
    let mut twins = Twins::default();
    twins.note(&message);
    assert!(["a", "b"].iter().all(|digest| twins.is_own(digest) && !twins.is_foreign(digest)));
}

#[test]
fn what_the_graph_leads_to_later_was_own_all_the_time() {
    let mut twins = Twins::default();
    twins.note(&[vertex("[x 1/1] COPY a /a", "side", &[], true), vertex("[y 1/2] RUN b", "b", &[], false)]);
    assert!(twins.is_foreign("b"));
    twins.note(&[vertex("[y 2/2] RUN c", "c", &["side", "b"], true)]);
    assert!(!twins.is_foreign("b") && twins.is_own("b"));
}
