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

fn twins(own: &[(&str, &str, &[&str])], others: &[(&str, &str, &[&str])]) -> Twins {
    let mut twins = Twins::default();
    for (is_announced, list) in [(true, own), (false, others)] {
        for (name, digest, inputs) in list {
            // What was said once holds.
            twins.note(&vertex(name, digest, inputs, is_announced));
            twins.note(&vertex(name, digest, inputs, false));
        }
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
