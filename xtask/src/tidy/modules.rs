//! Checks that every source file is declared as a module. rustc does not report undeclared files,
//! so a command in such a file would be missing without an error.

use super::SourceFile;

/// Returns the files below a `src` folder that their parent module does not declare.
pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        let Some((parents, name)) = parents_of(&file.path) else { continue };
        let declared = files
            .iter()
            .filter(|candidate| parents.contains(&candidate.path))
            .any(|parent| declares(&parent.text, &name));
        if !declared {
            findings.push(format!("{}: no module declares the file", file.path));
        }
    }
    findings
}

/// Returns the files that may declare this one, and the name of the module. Returns `None` for
/// crate roots and for files outside `src`.
fn parents_of(path: &str) -> Option<(Vec<String>, String)> {
    let (folder, file) = path.rsplit_once('/')?;
    let stem = file.strip_suffix(".rs")?;
    let in_src = format!("{folder}/").contains("/src/");
    let is_root = folder.ends_with("/src") && matches!(stem, "lib" | "main");
    if !in_src || is_root || folder.ends_with("/src/bin") {
        return None;
    }
    let (folder, name) = match stem {
        "mod" => folder.rsplit_once('/')?,
        stem => (folder, stem),
    };
    let parents = if folder.ends_with("/src") {
        vec![format!("{folder}/lib.rs"), format!("{folder}/main.rs")]
    } else {
        vec![format!("{folder}/mod.rs"), format!("{folder}.rs")]
    };
    Some((parents, name.to_owned()))
}

fn declares(parent: &str, name: &str) -> bool {
    parent.lines().any(|line| {
        let declaration = line.trim().strip_suffix(';').unwrap_or_default();
        let module = declaration.rsplit_once("mod ").map_or("", |(_, module)| module);
        module.trim_start_matches("r#") == name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undeclared(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<SourceFile> = files
            .iter()
            .map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() })
            .collect();
        check(&files)
    }

    #[test]
    fn a_file_that_nobody_declares_is_found() {
        let declared = [
            ("crates/a/src/lib.rs", "mod b;\npub(crate) mod r#where;\n"),
            ("crates/a/src/where.rs", ""),
            ("crates/a/src/b/mod.rs", "    mod c;\n"),
            ("crates/a/src/b/c.rs", "mod d;\n"),
            ("crates/a/src/b/c/d.rs", ""),
            ("crates/a/tests/anything.rs", ""),
        ];
        assert_eq!(undeclared(&declared), [""; 0]);
        let forgotten = [
            ("crates/a/src/lib.rs", "mod bin;\n"),
            ("crates/a/src/in.rs", ""),
            ("crates/a/src/b/mod.rs", ""),
        ];
        assert_eq!(
            undeclared(&forgotten),
            [
                "crates/a/src/in.rs: no module declares the file",
                "crates/a/src/b/mod.rs: no module declares the file",
            ]
        );
    }
}
