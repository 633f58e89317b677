//! The images that containers are made of: those of others keep to one version, and ours do not run as root.

use std::fs;

use tidemark_tests::repository;

/// The image that deploy/Dockerfile makes.
const OURS: &str = "tidemark";
const COMPOSE: &str = "docker-compose.yml";
const DOCKERFILE: &str = "deploy/Dockerfile";

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// What follows a word at the beginning of lines.
fn after<'a>(word: &'a str, text: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = text.lines().map(str::trim_start);
    let rests = lines.filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '));
    rests.map(str::trim)
}

/// Whether the tag of an image names a version with two numbers at least, or a day, and nothing else that moves.
fn is_pinned(image: &str) -> bool {
    let Some((_, tag)) = image.rsplit_once(':') else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    tag.split('-').any(|part| {
        let version = part.strip_prefix('v').unwrap_or(part);
        let is_version = version.contains('.') && version.split('.').all(is_number);
        is_version || (part.len() == "20261005".len() && is_number(part))
    })
}

#[test]
fn tags_that_move_are_no_pins() {
    for image in [
        "debian",
        "debian:latest",
        "debian:bookworm-slim",
        "postgres:17",
        "postgres:17-bookworm",
        "registry:5000/postgres",
    ] {
        assert!(!is_pinned(image), "{image}");
    }
    for image in [
        "postgres:17.12-bookworm",
        "prom/prometheus:v3.5.0",
        "debian:bookworm-20261005-slim",
    ] {
        assert!(is_pinned(image), "{image}");
    }
}

#[test]
fn images_of_compose_keep_to_one_version() {
    let compose = read(COMPOSE);
    let images: Vec<_> = after("image:", &compose).collect();
    assert!(images.contains(&OURS), "{images:?}");
    for image in images.into_iter().filter(|image| *image != OURS) {
        assert!(is_pinned(image), "{image}");
    }
}

#[test]
fn our_image_is_made_of_images_that_keep_to_one_version() {
    let dockerfile = read(DOCKERFILE);
    let stages: Vec<_> = after("FROM", &dockerfile)
        .map(|stage| stage.split_once(" AS ").unwrap_or((stage, "")))
        .collect();
    assert!(!stages.is_empty());
    let copied = dockerfile.split("--from=").skip(1);
    let copied = copied.map(|rest| rest.split_whitespace().next().unwrap());
    let images = stages.iter().map(|(image, _)| *image).chain(copied);
    for image in images {
        let is_stage = stages.iter().any(|(_, name)| *name == image);
        assert!(is_stage || is_pinned(image), "{image}");
    }
}

/// An orchestrator sees of a name neither which user it is nor that it is not root.
#[test]
fn our_image_runs_as_a_user_that_is_named_by_number() {
    let dockerfile = read(DOCKERFILE);
    let (_, last_stage) = dockerfile.rsplit_once("\nFROM ").unwrap();
    let user = after("USER", last_stage).last().unwrap();
    for id in user.split(':') {
        assert!(id.parse::<u32>().is_ok_and(|id| id > 0), "{user}");
    }
}
