//! Tests of the configuration: sources, refusals and the generated explanation.

use super::*;

fn from_environment(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut draft = Draft::built_in();
    draft.read_environment(pairs.iter().map(|(name, text)| ((*name).into(), (*text).into())))?;
    draft.check()
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    let mut draft = Draft::built_in();
    draft.read_file(Path::new("conf.toml"), text)?;
    draft.check()
}

#[test]
fn without_file_and_environment_the_defaults_apply() {
    let config = from_environment(&[]).unwrap();
    assert_eq!(config.http_listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.media_listen, ["[::]:7882".parse().unwrap()]);
    assert!(config.media_tcp);
    assert_eq!(config.metrics_listen.unwrap().to_string(), "127.0.0.1:9090");
    assert_eq!((config.participants, config.meetings), (50, 100));
    assert_eq!(config.data_dir, Path::new("./data"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let mut draft = Draft::built_in();
    draft.read_file(Path::new("conf.toml"), "[limits]\nparticipants = 7\nmeetings = 3\n").unwrap();
    draft.read_environment([("CONF_LIMITS__PARTICIPANTS".to_owned(), "9".to_owned())]).unwrap();
    let config = draft.check().unwrap();
    assert_eq!((config.participants, config.meetings), (9, 3));
}

#[test]
fn unknown_keys_are_refused_by_name() {
    let error = from_file("[limits]\nparticpants = 7\n").unwrap_err().to_string();
    assert!(error.starts_with("limits.particpants is no key"), "{error}");
    let error = from_environment(&[("CONF_HTTP__LISTN", "x")]).unwrap_err().to_string();
    assert!(error.starts_with("CONF_HTTP__LISTN is no key"), "{error}");
    assert!(from_file("api = 3\n").is_err());
    assert!(from_environment(&[("CONF_WEB_DIST", "/x"), ("CONFIG", "y")]).is_ok());
}

#[test]
fn a_refused_value_is_named_with_its_key_and_the_allowed_range() {
    let error = from_file("[limits]\nparticipants = 5001\n").unwrap_err().to_string();
    assert_eq!(
        error,
        "limits.participants = 5001 is refused (from conf.toml): allowed is 1 to 5000"
    );
    let error = from_environment(&[("CONF_HTTP__LISTEN", "localhost")]).unwrap_err().to_string();
    assert!(error.contains("http.listen = \"localhost\""), "{error}");
    assert!(error.contains("CONF_HTTP__LISTEN") && error.contains("127.0.0.1:8080"), "{error}");
}

#[test]
fn an_error_never_shows_a_secret() {
    let error = from_environment(&[("CONF_API__SECRET", "too short")]).unwrap_err().to_string();
    assert!(!error.contains("too short") && error.contains("32 to 256"), "{error}");
    let broken = "[[api.keys]]\nkey = \"a\"\nsecret = \"hidden-canary\nx = 1\n";
    let error = from_file(broken).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hidden-canary"), "{error}");
}

#[test]
fn an_api_key_needs_both_halves_and_a_name_of_its_own() {
    let secret = "0123456789abcdef0123456789abcdef";
    let error = from_environment(&[("CONF_API__KEY", "a")]).unwrap_err().to_string();
    assert!(error.contains("CONF_API__SECRET is missing"), "{error}");
    let file = format!("[[api.keys]]\nkey = \"a\"\nsecret = \"{secret}\"\n");
    assert_eq!(from_file(&file).unwrap().api_keys.len(), 1);
    let double = format!("{file}\n{file}");
    assert!(from_file(&double).unwrap_err().to_string().contains("twice"));
    let both = from_environment(&[("CONF_API__KEY", "a"), ("CONF_API__SECRET", secret)]).unwrap();
    assert!(!format!("{both:?}").contains(secret));
}

#[test]
fn media_listens_on_one_address_or_on_one_of_each_family() {
    let listens = |text: &str| {
        let config = from_file(&format!("[media]\nlisten = {text}\n"));
        config.map(|it| it.media_listen.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(listens("\"0.0.0.0:7882\"").unwrap(), ["0.0.0.0:7882"]);
    assert_eq!(listens("[\"0.0.0.0:1\", \"[::]:2\"]").unwrap(), ["0.0.0.0:1", "[::]:2"]);
    for refused in ["[]", "\"7882\"", "[\"0.0.0.0:1\", \"127.0.0.1:1\"]"] {
        let error = listens(refused).unwrap_err().to_string();
        assert!(error.contains("one IPv4 and one IPv6 address"), "{error}");
    }
    let both = from_environment(&[("CONF_MEDIA__LISTEN", "127.0.0.1:1, [::1]:1")]).unwrap();
    assert_eq!(both.media_listen.len(), 2);
}

#[test]
fn media_over_tcp_needs_a_port_that_the_pages_do_not_have() {
    let http = ("CONF_HTTP__LISTEN", "127.0.0.1:443");
    let error = from_environment(&[http, ("CONF_MEDIA__LISTEN", "[::]:443")]).unwrap_err();
    assert!(
        error.to_string().contains("media.tcp is refused: media.listen has the port"),
        "{error}"
    );
    let off = ("CONF_MEDIA__TCP", "off");
    assert!(from_environment(&[http, ("CONF_MEDIA__LISTEN", "[::]:443"), off]).is_ok());
    assert!(from_environment(&[http, ("CONF_MEDIA__LISTEN", "127.0.0.2:443")]).is_ok());
}

#[test]
fn an_advertised_address_may_name_port_and_transport() {
    let advertise = "192.0.2.1, tcp:192.0.2.2:443,2001:db8::1, udp:[2001:db8::2]:9000";
    let config = from_environment(&[("CONF_MEDIA__ADVERTISE", advertise)]).unwrap();
    let shown: Vec<_> = config
        .media_advertise
        .iter()
        .map(|it| format!("{:?} {}", it.transport, it.address))
        .collect();
    let all = [
        "None 192.0.2.1:0",
        "Some(Tcp) 192.0.2.2:443",
        "None [2001:db8::1]:0",
        "Some(Udp) [2001:db8::2]:9000",
    ];
    assert_eq!(shown, all);
    for refused in ["meet.example.org", "0.0.0.0", "tls:192.0.2.1", "192.0.2.1:70000"] {
        let error = from_environment(&[("CONF_MEDIA__ADVERTISE", refused)]).unwrap_err();
        assert!(error.to_string().contains("up to 16 IP addresses"), "{error}");
    }
}

#[test]
fn a_public_url_is_an_origin() {
    let read = |text| PublicUrl::parse(text).map(|url| url.to_string());
    assert_eq!(read("https://Meet.example.org:443/").unwrap(), "https://meet.example.org");
    assert_eq!(read("http://127.0.0.1:8080").unwrap(), "http://127.0.0.1:8080");
    for refused in ["meet.example.org", "ftp://a", "https://a/b", "https://u@a", "https://a?b"] {
        assert_eq!(read(refused), None, "{refused}");
    }
}

#[test]
fn the_explanation_names_every_key_and_is_itself_a_valid_file() {
    let text = explain();
    for key in KEYS {
        let variable = format!("CONF_{}", key.path.replace('.', "__").to_uppercase());
        assert!(text.contains(&variable), "{variable}");
    }
    from_file(&text).unwrap();
    let uncommented: String = text
        .lines()
        .filter(|line| !line.ends_with("# not set"))
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    from_file(&uncommented).unwrap();
}

#[test]
fn tls_needs_both_files_or_acme_and_what_goes_with_it() {
    let (cert, key) = (("CONF_TLS__CERT", "/c.pem"), ("CONF_TLS__KEY", "/k.pem"));
    let domains = ("CONF_TLS__ACME__DOMAINS", "Meet.example.org,b.example.org");
    let redirect = ("CONF_HTTP__REDIRECT_LISTEN", "127.0.0.1:80");
    let url = |text| ("CONF_HTTP__PUBLIC_URL", text);
    for (pairs, words) in [
        (vec![cert], "tls.cert is refused: it needs tls.key"),
        (vec![key], "tls.key is refused: it needs tls.cert"),
        (vec![cert, key, domains, redirect], "not both"),
        (vec![cert, key, url("http://a.example.org")], "begins with https://"),
        (vec![domains], "asks at http.redirect_listen"),
        (vec![domains, redirect, url("https://c.example.org")], "one of tls.acme.domains"),
        (vec![redirect], "http.redirect_listen is refused: it needs tls.cert"),
        (vec![("CONF_TLS__ACME__DOMAINS", "*.example.org")], "host names"),
        (vec![("CONF_TLS__ACME__DOMAINS", "192.0.2.1")], "host names"),
        (vec![("CONF_TLS__ACME__CONTACT", "nobody")], "tls.acme.contact = … is refused"),
        (vec![("CONF_TLS__ACME__DIRECTORY", "http://a.example.org/d")], "https://"),
    ] {
        let error = from_environment(&pairs).unwrap_err().to_string();
        assert!(error.contains(words), "{pairs:?}: {error}");
    }
    assert!(matches!(from_environment(&[cert, key]).unwrap().tls, Some(Tls::Files(_))));
    let config = from_environment(&[domains, redirect]).unwrap();
    assert!(config.is_https());
    assert_eq!(config.public_url.unwrap().to_string(), "https://meet.example.org:8080");
}

#[test]
fn https_is_what_the_configuration_says() {
    let https = |pairs: &[_]| from_environment(pairs).unwrap().is_https();
    assert!(!https(&[]));
    assert!(!https(&[("CONF_HTTP__PUBLIC_URL", "http://a.example.org")]));
    assert!(https(&[("CONF_HTTP__PUBLIC_URL", "https://a.example.org")]));
}
