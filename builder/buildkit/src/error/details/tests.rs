//! Details as BuildKit 0.33 sent them, and damaged ones.

use super::*;

const DOCKERFILE: &str = "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\",\"--install\",\"-s\",\"/bin\"]\n\
                          RUN echo one && \\\n    exit 7\nRUN true\n";

/// The details of a failed `RUN` on lines 4 and 5, in the daemon's order.
fn recorded(data: &str) -> Vec<(&'static str, String)> {
    let info = format!(
        r#"{{"filename":"Dockerfile","data":"{data}","definition":{{"def":["WgA="],"metadata":{{}}}},"language":"Dockerfile"}}"#
    );
    let ranges = r#"[{"start":{"line":4},"end":{"line":4}},{"start":{"line":5},"end":{"line":5}}]"#;
    vec![
        ("stack.Stack+json", r#"{"frames":[{"Name":"x.Run","File":"x.go","Line":457}],"pid":1}"#.to_owned()),
        ("errdefs.Source+json", format!(r#"{{"info":{info},"ranges":{ranges}}}"#)),
        ("errdefs.Vertex+json", r#"{"digest":"sha256:9d8f4c91"}"#.to_owned()),
        ("gatewayapi.ExitMessage+json", r#"{"Code":7}"#.to_owned()),
    ]
}

fn encode(details: Vec<(&str, String)>) -> Vec<u8> {
    let any = |(name, json): (&str, String)| bollard_buildkit_proto::google::protobuf::Any {
        type_url: format!("github.com/moby/buildkit/{name}"),
        value: json.into_bytes(),
    };
    let details = details.into_iter().map(any).collect();
    rpc::Status { code: 2, message: "failed".to_owned(), details }.encode_to_vec()
}

#[test]
fn a_failed_run_has_code_step_and_lines() {
    let details = decode(&encode(recorded(&BASE64.encode(DOCKERFILE))));
    assert_eq!(details.exit_code, Some(7));
    assert_eq!(details.vertex.as_deref(), Some("sha256:9d8f4c91"));
    let location = details.location.unwrap();
    assert_eq!((location.file.as_str(), location.first_line, location.last_line), ("Dockerfile", 4, 5));
    let lines: Vec<_> = location.excerpt.iter().map(|line| (line.number, line.text.as_str(), line.failed)).collect();
    let expected = [
        (2, "COPY busybox /bin/busybox", false),
        (3, "RUN [\"/bin/busybox\",\"--install\",\"-s\",\"/bin\"]", false),
        (4, "RUN echo one && \\", true),
        (5, "    exit 7", true),
        (6, "RUN true", false),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn an_excerpt_stays_short() {
    let long = format!("{}\n", "x".repeat(1_000_000)).repeat(5);
    let location = decode(&encode(recorded(&BASE64.encode(long)))).location.unwrap();
    assert!(location.excerpt.iter().all(|line| line.text.len() == MAX_LINE));
    let ranges =
        r#"{"info":{"filename":"D","data":"YQphCg=="},"ranges":[{"start":{"line":1},"end":{"line":4294967295}}]}"#;
    let location = decode(&encode(vec![("errdefs.Source+json", ranges.to_owned())])).location.unwrap();
    assert_eq!(location.excerpt.len(), 2);
}

#[test]
fn what_cannot_be_read_is_passed_over() {
    assert_eq!(decode(b"\xff\xff not protobuf"), Details::default());
    assert_eq!(decode(b""), Details::default());
    let broken = ["", "{", "[]", r#"{"info":7}"#, r#"{"ranges":[]}"#, r#"{"info":{},"ranges":[]}"#, r#"{"digest":7}"#];
    for json in broken {
        for name in ["errdefs.Source+json", "errdefs.Vertex+json", "gatewayapi.ExitMessage+json", "other"] {
            assert_eq!(
                decode(&encode(vec![(name, json.to_owned())])),
                Details { ..Details::default() },
                "{name} {json}"
            );
        }
    }
    let location = decode(&encode(recorded("not base64!"))).location.unwrap();
    assert_eq!((location.first_line, location.excerpt.len()), (4, 0));
}
