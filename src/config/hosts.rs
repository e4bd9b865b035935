//! The names by which clients may call the server.

use super::Settings;
use crate::authority::Authority;

/// The names that a request may be for, besides `localhost` and addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHosts {
    /// Every name, so that nothing keeps the pages of other sites away but what browsers say of themselves.
    Any,
    /// These; ports matter only where pages are told from each other.
    These(Vec<Authority>),
}

/// The names in `allowed_hosts`.
pub(super) fn allowed_hosts(settings: &Settings, problems: &mut Vec<String>) -> AllowedHosts {
    let texts = settings.allowed_hosts.as_deref().unwrap_or_default();
    if texts.iter().any(|text| text == "*") {
        return AllowedHosts::Any;
    }
    let mut names = Vec::new();
    for text in texts {
        match Authority::parse(text) {
            Some(name) => names.push(name),
            None => problems.push(format!(
                "allowed_hosts: [{text}] is not a host, such as auspex or auspex.example:8443"
            )),
        }
    }
    AllowedHosts::These(names)
}

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigErrors};
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigErrors> {
        let variables = [("AUSPEX_ALLOWED_HOSTS".to_owned(), text.to_owned())];
        Config::load(None, variables.into_iter(), Settings::default())
    }

    #[test]
    fn names_are_listed_with_commas_and_read() {
        let read = |text: &str| Authority::parse(text).unwrap();
        let names = AllowedHosts::These(vec![read("auspex"), read("a.example:8443")]);
        assert_eq!(load("auspex, A.example:8443").unwrap().allowed_hosts, names);
        assert_eq!(load("").unwrap().allowed_hosts, AllowedHosts::These(Vec::new()));
        assert_eq!(load("a,*").unwrap().allowed_hosts, AllowedHosts::Any);
        for wrong in ["http://auspex", "*.example", "a b"] {
            let problems = load(wrong).unwrap_err().to_string();
            assert!(problems.contains("allowed_hosts: ["), "{problems}");
        }
    }
}
