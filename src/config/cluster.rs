//! How the cluster is reached, from the settings that begin with `store`.

use super::{Secret, Settings};

/// The cluster's configuration; `None` without a cluster. User and password are those of the first address that has them.
pub(super) fn cluster(settings: &Settings, problems: &mut Vec<String>) -> Option<store::Config> {
    let Some(addresses) = &settings.store else {
        only_with_a_cluster(settings, problems);
        return None;
    };
    let (mut urls, mut user) = (Vec::new(), None);
    for address in addresses.reveal().split(',').map(str::trim) {
        match reqwest::Url::parse(address) {
            Ok(mut url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                if user.is_none() && !url.username().is_empty() {
                    user = Some((decoded(url.username()), decoded(url.password().unwrap_or_default())));
                }
                // Both can be taken away from an address with a host.
                let _ = url.set_username("").and_then(|()| url.set_password(None));
                urls.push(url.to_string());
            }
            Ok(_) => problems.push("store: the address must begin with http:// or https://".to_owned()),
            Err(error) => problems.push(format!("store: the address cannot be read: {error}")),
        }
    }
    if settings.store_api_key.is_some() && settings.store_bearer_token.is_some() {
        problems.push("store_bearer_token: there is a store_api_key too; only one can be sent".to_owned());
    }
    let secret = |secret: &Option<Secret>| secret.as_ref().map(|s| store::config::Secret::new(s.reveal()));
    let (username, password) = user.unzip();
    Some(store::Config::Cluster(store::config::ClusterConfig {
        urls,
        username,
        password: password.map(store::config::Secret::new),
        api_key: secret(&settings.store_api_key),
        bearer_token: secret(&settings.store_bearer_token),
        ca_certificate: settings.store_ca_certificate.clone(),
        verify_certificates: true,
        index_prefix: settings.store_index_prefix.clone().unwrap_or_default(),
    }))
}

/// Settings of a cluster without its address would be ignored; whoever wrote them would not notice.
fn only_with_a_cluster(settings: &Settings, problems: &mut Vec<String>) {
    for (name, given) in [
        ("store_api_key", settings.store_api_key.is_some()),
        ("store_bearer_token", settings.store_bearer_token.is_some()),
        ("store_ca_certificate", settings.store_ca_certificate.is_some()),
        ("store_index_prefix", settings.store_index_prefix.is_some()),
    ] {
        if given {
            problems.push(format!("{name}: there is no cluster; say which one with store"));
        }
    }
}

/// Undoes the `%` escapes of an address.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| byte == b'%') {
            Some(meant) => {
                bytes.push(meant);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn load(settings: Settings) -> Result<Config, super::super::ConfigErrors> {
        Config::load(None, std::iter::empty(), settings)
    }

    fn with(store: &str) -> Settings {
        Settings { store: Some(Secret::new(store)), ..Settings::default() }
    }

    #[test]
    fn users_are_taken_out_of_the_address_of_a_cluster() {
        let config = load(with("https://me:p%40ss@one:9200,https://two:9200")).unwrap();
        let Some(store::Config::Cluster(cluster)) = config.store else { panic!("a cluster was asked for") };
        assert_eq!(cluster.urls, ["https://one:9200/", "https://two:9200/"]);
        assert_eq!(cluster.username.as_deref(), Some("me"));
        assert_eq!(cluster.password, Some(store::config::Secret::new("p@ss")));
        assert!(config.store_gateway && config.store_push_down);
        assert!(!super::super::Config::local("x").store_push_down);
    }

    #[test]
    fn settings_that_would_have_no_effect_are_refused() {
        let settings = Settings { store_index_prefix: Some("x".to_owned()), ..Settings::default() };
        assert!(load(settings).unwrap_err().to_string().contains("store_index_prefix: there is no cluster"));
        let (key, token) = (Some(Secret::new("k")), Some(Secret::new("t")));
        let both = Settings { store_api_key: key, store_bearer_token: token, ..with("http://h") };
        assert!(load(both).unwrap_err().to_string().contains("only one can be sent"));
    }
}
