//! Settings from the configuration file and from environment variables.
//!
//! Flags win over the environment, and the environment over the file. The file is never looked for
//! in the working directory or among the logs: whoever sends logs could hide findings with it.

mod file;
mod serving;
mod show;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use spilltrail_app::check::{Level, Levels};
use spilltrail_app::{AllowEntry, AppError};
use spilltrail_diagnostic::Code;

use crate::arguments::{
    ContentOptions, DataOptions, LimitOptions, MAX_THREADS, ServeOptions, SharedOptions,
    TestOptions,
};
use file::ConfigFile;
pub(crate) use serving::ServeKeys;
pub(crate) use show::run;

/// The variable that names the configuration file; if it is empty, none is read.
const CONFIG: &str = "SPILLTRAIL_CONFIG";

/// A value, and where it comes from, such as `config.toml:3`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting<T> {
    value: T,
    origin: String,
}

/// The settings of the environment and of the configuration file.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// The configuration file, if one was read.
    file: Option<PathBuf>,
    content: Option<Setting<Vec<PathBuf>>>,
    builtin: Option<Setting<bool>>,
    lookups: Option<Setting<PathBuf>>,
    memory_limit: Option<Setting<u64>>,
    threads: Option<Setting<u64>>,
    /// Macros as `name=definition`.
    macros: Vec<Setting<String>>,
    allow: Vec<AllowEntry>,
    /// Levels of codes in a check.
    levels: Vec<Setting<(Code, Level)>>,
    serve: ServeKeys,
}

/// Returns the value of an environment variable of the process.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

impl Settings {
    /// Loads the configuration file `named` by the user, or else the one that the environment
    /// names, or else the one in the user's configuration folder, which may be missing.
    ///
    /// # Errors
    /// Fails if a named file is missing, if the file has a mistake, or if a variable has a value
    /// that its setting does not take.
    pub(crate) fn load(
        named: Option<&Path>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let mut settings = match path_of_file(named, variable)? {
            Some(path) => Self::of_file(&ConfigFile::read(&path)?),
            None => Self::default(),
        };
        settings.read_environment(variable)?;
        if let Some(Setting { value, origin }) = &settings.threads
            && *value > MAX_THREADS
        {
            bail!("{origin}: expected 1 to {MAX_THREADS} threads, found {value}");
        }
        Ok(settings)
    }

    fn of_file(file: &ConfigFile) -> Self {
        let keys = &file.keys;
        let number = |value: &toml::Spanned<std::num::NonZeroU64>| Setting {
            value: value.get_ref().get(),
            origin: file.place(value),
        };
        Self {
            file: Some(file.path.clone()),
            content: keys.content.as_ref().map(|content| Setting {
                value: content.get_ref().iter().map(|path| file.resolve(path)).collect(),
                origin: file.place(content),
            }),
            builtin: keys
                .builtin
                .as_ref()
                .map(|builtin| Setting { value: *builtin.get_ref(), origin: file.place(builtin) }),
            lookups: keys.lookups.as_ref().map(|lookups| Setting {
                value: file.resolve(lookups.get_ref()),
                origin: file.place(lookups),
            }),
            memory_limit: keys.memory_limit.as_ref().map(number),
            threads: keys.threads.as_ref().map(number),
            macros: keys
                .macros
                .iter()
                .map(|(name, definition)| Setting {
                    value: format!("{name}={}", definition.get_ref()),
                    origin: file.place(definition),
                })
                .collect(),
            allow: file.allow.clone(),
            levels: file.levels(),
            serve: keys.serve.clone().resolved(&|path| file.resolve(path)),
        }
    }

    /// Replaces settings by those of the environment. An empty variable is like none.
    fn read_environment(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Result<()> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(value) = set("SPILLTRAIL_LOOKUPS") {
            self.lookups =
                Some(Setting { value: value.into(), origin: "SPILLTRAIL_LOOKUPS".to_owned() });
        }
        if let Some(value) = set("SPILLTRAIL_BUILTIN") {
            let builtin = match value.as_str() {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => bail!("SPILLTRAIL_BUILTIN: expected `true` or `false`, found `{value}`"),
            };
            self.builtin =
                Some(Setting { value: builtin, origin: "SPILLTRAIL_BUILTIN".to_owned() });
        }
        for (name, setting) in [
            ("SPILLTRAIL_MEMORY_LIMIT", &mut self.memory_limit),
            ("SPILLTRAIL_THREADS", &mut self.threads),
        ] {
            if let Some(value) = set(name) {
                let number = value.parse().ok().filter(|number| *number > 0);
                let number = number
                    .with_context(|| format!("{name}: expected a number, found `{value}`"))?;
                *setting = Some(Setting { value: number, origin: name.to_owned() });
            }
        }
        Ok(())
    }

    /// Fills in the options that no flag sets.
    pub(crate) fn apply(&self, options: &mut SharedOptions) {
        self.apply_to_content(&mut options.content);
        if options.lookups.is_none() {
            options.lookups = self.lookups.as_ref().map(|lookups| lookups.value.clone());
        }
        self.apply_to_limits(&mut options.read.limits);
    }

    /// Fills in the limits that no flag sets.
    pub(crate) fn apply_to_limits(&self, limits: &mut LimitOptions) {
        let value = |setting: &Option<Setting<u64>>| setting.as_ref().map(|setting| setting.value);
        limits.memory_limit = limits.memory_limit.or(value(&self.memory_limit));
        limits.threads = limits.threads.or(value(&self.threads));
    }

    /// Fills in the options of a server that no flag sets.
    pub(crate) fn apply_to_server(&self, options: &mut ServeOptions) {
        self.apply_to_content(&mut options.content);
        self.apply_to_limits(&mut options.limits);
        self.apply_to_data(&mut options.data);
        self.serve.apply(options);
        options.allow = self.allow_list();
    }

    /// Fills in the data folder if no flag names it.
    pub(crate) fn apply_to_data(&self, options: &mut DataOptions) {
        options.data = options.data.take().or_else(|| self.serve.data.clone());
    }

    /// Fills in the options of tests that no flag sets. The folders that are tested take the place of
    /// those of the file, which would be tested with them.
    pub(crate) fn apply_to_tests(&self, options: &mut TestOptions) {
        let has_folders = !options.folders.is_empty();
        let own = options.content.content.clone();
        self.apply_to_content(&mut options.content);
        if has_folders {
            options.content.content = own;
        }
        let value = |setting: &Option<Setting<u64>>| setting.as_ref().map(|setting| setting.value);
        options.memory_limit = options.memory_limit.or(value(&self.memory_limit));
        options.threads = options.threads.or(value(&self.threads));
    }

    /// Fills in the content options that no flag sets. Macros of flags come after those of the
    /// file, and so replace them.
    pub(crate) fn apply_to_content(&self, options: &mut ContentOptions) {
        if let Some(content) = self.content.as_ref().filter(|_| options.content.is_empty()) {
            options.content.clone_from(&content.value);
        }
        options.no_builtin |= self.builtin.as_ref().is_some_and(|builtin| !builtin.value);
        options.macros.splice(0..0, self.macros.iter().map(|setting| setting.value.clone()));
    }

    /// Returns where the setting that an error is about comes from, such as
    /// "`content` in config.toml:3"; `None` if it does not come from the file or the environment.
    pub(crate) fn origin_of(&self, error: &AppError) -> Option<String> {
        let (key, origin) = match error {
            AppError::Macro { text, .. } => {
                let setting = self.macros.iter().find(|setting| setting.value == *text)?;
                ("macros", &setting.origin)
            }
            AppError::NoContentFolder { path, .. } => {
                let setting = self.content.as_ref()?;
                setting.value.contains(path).then_some(("content", &setting.origin))?
            }
            AppError::File { path, .. } => {
                let setting = self.lookups.as_ref().filter(|setting| setting.value == *path)?;
                ("lookups", &setting.origin)
            }
            _ => return None,
        };
        Some(format!("`{key}` in {origin}"))
    }

    /// Returns the levels of codes.
    pub(crate) fn levels(&self) -> Levels {
        let mut levels = Levels::default();
        self.levels.iter().for_each(|setting| levels.set(setting.value.0, setting.value.1));
        levels
    }

    /// Returns the entries of the allow-list.
    pub(crate) fn allow_list(&self) -> Vec<AllowEntry> {
        self.allow.clone()
    }
}

/// Returns the path of the configuration file; `None` if there is none.
fn path_of_file(
    named: Option<&Path>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<PathBuf>> {
    if let Some(path) = named {
        return Ok(Some(path.to_owned()));
    }
    if let Some(path) = variable(CONFIG) {
        return Ok(Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty()));
    }
    // A relative folder would depend on the working directory, which may hold the logs.
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let Some(folder) =
        absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))
    else {
        return Ok(None);
    };
    let path = folder.join("spilltrail").join("config.toml");
    let is_there = path
        .try_exists()
        .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
    Ok(is_there.then_some(path))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command, HuntOptions};

    #[test]
    fn the_file_is_never_that_of_the_working_directory() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let path = home.join(".config/spilltrail/config.toml");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        let home = home.to_str().unwrap().to_owned();
        let find = |variables: &[(&str, &str)]| {
            let get = |name: &str| {
                let found = variables.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            path_of_file(None, &get).unwrap()
        };
        assert_eq!(find(&[("HOME", &home)]), Some(path.clone()));
        assert_eq!(find(&[("HOME", ".")]), None);
        assert_eq!(find(&[("XDG_CONFIG_HOME", "."), ("HOME", &home)]), Some(path));
        assert_eq!(find(&[("XDG_CONFIG_HOME", "/nowhere"), ("HOME", &home)]), None);
        assert_eq!(find(&[(CONFIG, ""), ("HOME", &home)]), None);
        assert_eq!(find(&[(CONFIG, "a.toml"), ("HOME", &home)]), Some("a.toml".into()));
    }

    #[test]
    fn the_environment_wins_over_the_file_and_flags_over_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        let text = "content = ['here']\nthreads = 1\nmemory_limit = 64\nlookups = 'kept'\n\
                    [macros]\nm = 'file'\n";
        std::fs::write(&path, text).unwrap();
        let variable = |name: &str| match name {
            "SPILLTRAIL_THREADS" => Some("2".to_owned()),
            "SPILLTRAIL_BUILTIN" => Some("false".to_owned()),
            _ => None,
        };
        let settings = Settings::load(Some(&path), &variable).unwrap();
        let arguments = ["spilltrail", "hunt", "logs", "--macro", "m=flag", "--memory-limit", "32"];
        let arguments = Arguments::try_parse_from(arguments).unwrap();
        let Command::Hunt(HuntOptions { mut shared, .. }) = arguments.command else {
            panic!("expected a hunt");
        };
        settings.apply(&mut shared);
        assert_eq!(shared.content.content, [folder.path().join("here")]);
        assert_eq!(shared.lookups, Some(folder.path().join("kept")));
        assert_eq!(shared.content.macros, ["m=file", "m=flag"]);
        assert!(shared.content.no_builtin);
        let limits = shared.read.limits;
        assert_eq!((limits.memory_limit, limits.threads), (Some(32), Some(2)));
    }

    #[test]
    fn a_variable_in_error_is_named() {
        let variable = |name: &str| (name == "SPILLTRAIL_THREADS").then(|| "many".to_owned());
        let mut settings = Settings::default();
        let error = settings.read_environment(&variable).unwrap_err();
        assert_eq!(error.to_string(), "SPILLTRAIL_THREADS: expected a number, found `many`");
    }
}
