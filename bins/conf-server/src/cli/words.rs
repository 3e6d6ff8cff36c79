//! The words after a command's name: options that are taken out one by one.

use std::path::PathBuf;

use conf_server::Config;

use super::Fault;

/// What is left of the command line.
#[derive(Debug)]
pub(crate) struct Words(Vec<String>);

impl Words {
    pub(crate) fn new(words: Vec<String>) -> Self {
        Self(words)
    }

    /// Takes out a switch, such as `--json`; whether it was there.
    pub(crate) fn switch(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|word| word != name);
        self.0.len() < before
    }

    /// Takes out `name VALUE` or `name=VALUE`.
    ///
    /// # Errors
    /// [`Fault::Usage`] if the value is missing.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>, Fault> {
        let joined = |word: &str| word.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        let Some(at) = self.0.iter().position(|word| word == name || joined(word).is_some()) else {
            return Ok(None);
        };
        let word = self.0.remove(at);
        match joined(&word) {
            Some(value) => Ok(Some(value)),
            None if at < self.0.len() => Ok(Some(self.0.remove(at))),
            None => Err(Fault::Usage(format!("{name} without a value"))),
        }
    }

    /// Takes out the next word that is no option.
    pub(crate) fn next(&mut self) -> Option<String> {
        let at = self.0.iter().position(|word| !word.starts_with('-'))?;
        Some(self.0.remove(at))
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// [`Fault::Usage`] names the first word that nobody took.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        match self.0.first() {
            Some(word) => Err(Fault::Usage(format!("{word} is not understood"))),
            None => Ok(()),
        }
    }

    /// Takes out `--config PATH`; nothing else may be left.
    ///
    /// # Errors
    /// [`Fault::Usage`].
    pub(crate) fn only_file(mut self) -> Result<Option<PathBuf>, Fault> {
        let file = self.value("--config")?;
        self.end()?;
        Ok(file.map(PathBuf::from))
    }
}

/// The configuration from its file and this process' environment.
///
/// # Errors
/// [`Fault::Refused`] names key, value and what is allowed.
pub(crate) fn configuration(file: Option<&std::path::Path>) -> Result<Config, Fault> {
    // A variable that is no text has no key of ours in its name, or a value that is refused below.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()));
    Config::load(file, environment).map_err(|error| Fault::Refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Words {
        Words::new(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn an_option_is_taken_with_its_value_in_either_form() {
        let file = Some(PathBuf::from("a.toml"));
        assert_eq!(words("").only_file(), Ok(None));
        assert_eq!(words("--config a.toml").only_file(), Ok(file.clone()));
        assert_eq!(words("--config=a.toml").only_file(), Ok(file));
        let mut both = words("--json --config a");
        assert!(both.switch("--json") && !both.switch("--json"));
        assert!(both.only_file().is_ok());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let usage = |text: &str| Err(Fault::Usage(text.to_owned()));
        assert_eq!(words("--conifg a").only_file(), usage("--conifg is not understood"));
        assert_eq!(words("--config").only_file(), usage("--config without a value"));
        assert_eq!(words("--config a b").only_file(), usage("b is not understood"));
    }
}
