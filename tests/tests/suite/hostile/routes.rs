//! The server's routes, read from its source text: a route that is added there is known here at once.

/// `server/src/http/routes.rs` as it is.
const SOURCE: &str = include_str!("../../../../server/src/http/routes.rs");

/// One route, with the place-holders that the server writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
}

/// All routes; panics when the text is written in a way that is not understood here.
pub(crate) fn all() -> Vec<Route> {
    let mut routes = Vec::new();
    for function in SOURCE.split("\nfn ").skip(1) {
        let prefix = prefix(function);
        for part in resources(function) {
            for path in paths(part, prefix.as_deref()) {
                for method in methods(part) {
                    routes.push(Route { method: method.clone(), path: path.clone() });
                }
            }
        }
    }
    routes.sort();
    routes.dedup();
    // What answers to every method is no route of a method.
    let handlers = SOURCE.matches(".to(").count() - SOURCE.matches("\").to(").count();
    assert!(routes.len() >= handlers, "{} routes were read of {handlers} handlers: {routes:#?}", routes.len());
    routes
}

/// What `at("…")` puts in front, in this function.
fn prefix(function: &str) -> Option<String> {
    let at = function.find("let at = ")?;
    let text = quoted(&function[at..]).expect("`at` formats a path");
    let constant = SOURCE.find("const AT: &str = ").map(|at| quoted(&SOURCE[at..]).expect("AT is a text"));
    let text = text.replace("{AT}", constant.unwrap_or_default());
    Some(text.replace("{{", "{").replace("}}", "}"))
}

/// The text behind each `resource(` or `at(`, up to the next one.
fn resources(function: &str) -> Vec<&str> {
    let mut starts: Vec<(usize, usize)> = Vec::new();
    for word in ["resource(", "at("] {
        for (at, _) in function.match_indices(word) {
            let before = function[..at].chars().next_back().unwrap_or(' ');
            let formats = function[at + word.len()..].starts_with("format!");
            if !before.is_alphanumeric() && before != '_' && !formats {
                starts.push((at, at + word.len()));
            }
        }
    }
    starts.sort_unstable();
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([function.len()]);
    starts.iter().zip(ends).map(|((_, from), to)| &function[*from..to]).collect()
}

/// The path, or the several of a list.
fn paths(arguments: &str, prefix: Option<&str>) -> Vec<String> {
    let arguments = arguments.trim_start();
    if arguments.starts_with("assets::ROUTE") {
        return vec!["/assets/{hash}/{name}".to_owned()];
    }
    if let Some(list) = arguments.strip_prefix('[') {
        let list = list.split(']').next().unwrap_or_default();
        return list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    }
    let path = quoted(arguments).unwrap_or_else(|| panic!("this is no path: {arguments}"));
    match prefix.filter(|_| !path.starts_with("/{namespace}")) {
        Some(prefix) => vec![prefix.replace("{rest}", path)],
        None => vec![path.to_owned()],
    }
}

fn methods(part: &str) -> Vec<String> {
    let word = |part: &str| part.trim_start().split('(').next().map(str::to_uppercase);
    let methods: Vec<String> = part.split(".route(").skip(1).filter_map(word).collect();
    assert!(methods.iter().all(|m| ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].contains(&m.as_str())), "{part}");
    methods
}

fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

/// The path with its place-holders filled in by `values`, name and value.
pub(crate) fn fill(path: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (holder, after) = split_holder(after);
        let name = holder.split(':').next().unwrap_or_default();
        let value = values.iter().find(|(known, _)| *known == name);
        filled.push_str(before);
        filled.push_str(value.unwrap_or_else(|| panic!("nothing is known for {{{name}}} of {path}")).1);
        rest = after;
    }
    filled + rest
}

/// Up to the brace that closes it: patterns may have braces of their own.
fn split_holder(text: &str) -> (&str, &str) {
    let mut depth = 1;
    for (at, letter) in text.char_indices() {
        depth += match letter {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        if depth == 0 {
            return (&text[..at], &text[at + 1..]);
        }
    }
    panic!("a place-holder is not closed: {text}");
}

#[test]
fn the_routes_are_read_whole() {
    let all = all();
    for (method, path) in [
        ("GET", "/"),
        ("POST", "/new/import/refresh"),
        ("HEAD", "/v2/"),
        ("PATCH", "/v2/{name:.+}/blobs/uploads/{id}"),
        ("POST", "/{namespace}/{repository:.+?}/-/settings/delete"),
        ("GET", "/{namespace}/{repository:.+?}/-/builds"),
        ("POST", "/{namespace}/{repository:.+?}/-/builds/{number:[0-9]+}/cancel"),
        ("GET", "/{namespace}/{repository:[^-].*}"),
        ("GET", "/assets/{hash}/{name}"),
    ] {
        let wanted = Route { method: method.to_owned(), path: path.to_owned() };
        assert!(all.contains(&wanted), "{wanted:?} is not in {all:#?}");
    }
    assert_eq!(fill("/{a}/{b:[0-9]{2}}/c", &[("a", "x"), ("b", "y")]), "/x/y/c");
}
