//! What to do next about a build that failed, where there is something better than to look at the log.

use slipway_protocol::{Failure, Reason};

/// `repository` is `acme/web`; `is_own` says whether the image that is not to be had would lie in this registry.
pub(super) fn of(repository: &str, failure: &Failure, is_own: bool) -> Option<String> {
    let text = match failure.reason {
        Reason::OutOfMemory => {
            "The step was killed, most often because it needed more memory than builds have here. Make it need less, or ask the operator for more."
        }
        Reason::DockerfileMissing => "Choose another Dockerfile under Settings, or add it to the repository.",
        Reason::Syntax => return Some(syntax(failure)),
        Reason::FileMissing => return missing(repository, failure),
        Reason::BaseImageMissing | Reason::BaseImageDenied if is_own => {
            "Look at the name in FROM. Builds read public images, those of their own repository, and the private ones that its settings list."
        }
        // The message says what to do.
        Reason::BaseImageMissing if failure.message.contains(" names no image: ") => return None,
        Reason::BaseImageMissing if failure.message.contains(" cannot be reached: ") => {
            "Look at the name of the image. If it is right, re-run the build when its registry answers; the operator can add a mirror."
        }
        Reason::BaseImageMissing => {
            "Look at the name in FROM. The operator can add a mirror or a login for its registry."
        }
        Reason::BaseImageDenied => {
            "Look at the name in FROM. If the image is there and private, the operator can add a login for its registry."
        }
        Reason::SourceUnavailable if failure.message.contains("cannot be read") => {
            "If the repository is still at the forge, an admin can press \u{201c}Check and repair\u{201d} under Settings: that finds where it is now, and reads it by the admin's own connection where the one it has lost the right."
        }
        Reason::SourceUnavailable => "Look whether the repository is still at the forge, and connect again if it asks.",
        Reason::BuilderUnavailable => "This was no fault of the code: re-run it.",
        Reason::DiskFull => "The builder's disk is full: tell the operator, then re-run it.",
        _ => return None,
    };
    Some(text.replace("under Settings", &format!("under Settings of {repository}")))
}

fn syntax(failure: &Failure) -> String {
    match failure.location.as_ref().filter(|at| at.first_line > 0) {
        Some(at) => format!("Look at line {} of {}: it cannot be read as it is written.", at.first_line, at.file),
        None => "Look at the Dockerfile: it cannot be read as it is written.".to_owned(),
    }
}

/// A file that `COPY` or `ADD` names and that is not there.
fn missing(repository: &str, failure: &Failure) -> Option<String> {
    // Whoever knows why it is not there has said so.
    let is_bare =
        ["not found", "no such file or directory"].iter().any(|end| failure.message.trim_end().ends_with(end));
    if !is_bare {
        return None;
    }
    let lines = failure.location.iter().flat_map(|at| {
        at.excerpt.iter().filter(|(number, _)| (at.first_line..=at.last_line).contains(number)).map(|(_, text)| text)
    });
    Some(if lines.into_iter().any(|text| text.contains("--from=")) {
        "Look whether the stage or image that --from names has this file, at this path.".to_owned()
    } else {
        format!(
            "Look whether the file is in the repository at this commit, inside of the context folder under Settings of \
             {repository}, and not left out by a line of .dockerignore."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_protocol::Location;

    fn failure(reason: Reason, message: &str, line: &str) -> Failure {
        let location =
            Location { file: "docker/Dockerfile".into(), first_line: 3, last_line: 3, excerpt: vec![(3, line.into())] };
        Failure { reason, message: message.into(), location: Some(location), ..Failure::default() }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let told = of("acme/web", &failure(Reason::Syntax, "unknown instruction: RUNN", "RUNN make"), false);
        assert_eq!(told.as_deref(), Some("Look at line 3 of docker/Dockerfile: it cannot be read as it is written."));
        let told = of("acme/web", &Failure { reason: Reason::Syntax, ..Failure::default() }, false);
        assert!(told.is_some_and(|told| told.starts_with("Look at the Dockerfile")));
    }

    #[test]
    fn a_missing_file_is_looked_for_where_it_can_be() {
        let told = |message, line| of("acme/web", &failure(Reason::FileMissing, message, line), false);
        let of_context = told("\"/no.txt\": not found", "COPY no.txt /").unwrap();
        assert!(of_context.contains(".dockerignore") && of_context.contains("Settings of acme/web"), "{of_context}");
        let of_stage = told("\"/no.txt\": not found", "COPY --from=build no.txt /").unwrap();
        assert!(of_stage.contains("--from") && !of_stage.contains(".dockerignore"), "{of_stage}");
        assert_eq!(told("`no.txt` is left out by line 3 of .dockerignore", "COPY no.txt /"), None);
    }

    #[test]
    fn an_image_that_nobody_can_see_is_not_said_to_be_there() {
        let told = of("acme/web", &Failure { reason: Reason::BaseImageDenied, ..Failure::default() }, false).unwrap();
        assert!(told.contains("name in FROM") && !told.contains("is private:"), "{told}");
    }
}
