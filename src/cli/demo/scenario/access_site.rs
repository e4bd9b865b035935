//! The site whose access log is generated: its pages, its visitors, and what ordinary visits look like.

use super::random::Random;

pub(super) const CLIENTS: usize = 2_000;
const PRODUCTS: i64 = 400;

/// Programs that people visit with.
pub(super) const BROWSERS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:138.0) Gecko/20100101 Firefox/138.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
];
const BROWSER_SHARES: [f64; 6] = [0.32, 0.14, 0.12, 0.18, 0.18, 0.06];
const COUNTRIES: [&str; 8] = ["DE", "FR", "US", "GB", "NL", "PL", "IT", "ES"];
const COUNTRY_SHARES: [f64; 8] = [0.34, 0.14, 0.13, 0.11, 0.09, 0.07, 0.06, 0.06];
const SECTIONS: [&str; 6] = ["/", "/about", "/contact", "/news", "/shipping", "/offers"];
const CATEGORIES: [&str; 8] =
    ["garden", "kitchen", "toys", "books", "sports", "office", "lighting", "outlet"];
const ASSETS: [&str; 8] = [
    "/static/site.css",
    "/static/site.js",
    "/static/logo.svg",
    "/static/fonts/text.woff2",
    "/static/hero.jpg",
    "/static/icons.svg",
    "/static/cart.js",
    "/favicon.ico",
];
const SEARCHES: [&str; 10] =
    ["lamp", "chair", "teapot", "puzzle", "shovel", "notebook", "ball", "mirror", "clock", "gift"];

/// Who makes requests.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) address: String,
    pub(super) agent: &'static str,
    pub(super) country: &'static str,
    /// Visits in relation to those of a typical client.
    pub(super) activity: f64,
}

/// The ordinary client of this number, below [`CLIENTS`].
pub(super) fn client(random: &mut Random, number: usize) -> Client {
    Client {
        address: address(number),
        agent: BROWSERS[random.weighted(&BROWSER_SHARES)],
        country: COUNTRIES[random.weighted(&COUNTRY_SHARES)],
        activity: random.log_normal(1.0, 0.5).min(3.0),
    }
}

/// Addresses for documentation (RFC 5737) for three tenths, private ones (RFC 1918) for the others.
pub(super) fn address(number: usize) -> String {
    const NETS: [&str; 3] = ["192.0.2", "198.51.100", "203.0.113"];
    if number < 600 {
        // The last octets up to 219; those above are left to the labelled actors.
        format!("{}.{}", NETS[number % 3], 20 + number / 3)
    } else {
        format!("10.{}.{}.{}", 16 + number % 8, number / 256, number % 256)
    }
}

/// One request without its client and time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Action {
    pub(super) method: &'static str,
    pub(super) uri: String,
    pub(super) status: &'static str,
    pub(super) bytes: u64,
}

/// What an ordinary visitor asks for.
pub(super) fn ordinary(random: &mut Random) -> Action {
    match random.weighted(&[0.18, 0.30, 0.14, 0.24, 0.07, 0.05, 0.02]) {
        0 => {
            let uri = (*random.choice(&SECTIONS)).to_owned();
            page(random, uri, 7_000.0)
        }
        1 => {
            let uri = product(random);
            page(random, uri, 11_000.0)
        }
        2 => {
            let uri = format!("/category/{}?page={}", random.choice(&CATEGORIES), random.between(1, 6));
            page(random, uri, 14_000.0)
        }
        3 => asset(random),
        4 => {
            let uri = format!("/search?q={}", random.choice(&SEARCHES));
            page(random, uri, 9_000.0)
        }
        5 => cart(random),
        _ => login(random),
    }
}

/// A page of one of the products; the first ones are asked for most.
pub(super) fn product(random: &mut Random) -> String {
    let (first, second) = (random.between(0, PRODUCTS), random.between(0, PRODUCTS));
    format!("/product/{}", 1_000 + first.min(second))
}

fn page(random: &mut Random, uri: String, median: f64) -> Action {
    match random.weighted(&[0.955, 0.015, 0.025, 0.005]) {
        1 => Action { method: "GET", uri: format!("{uri}/old"), status: "404", bytes: 512 },
        2 => Action { method: "GET", uri, status: "302", bytes: 0 },
        3 => Action { method: "GET", uri, status: "500", bytes: 310 },
        _ => Action { method: "GET", uri, status: "200", bytes: size(random, median, 0.4) },
    }
}

fn asset(random: &mut Random) -> Action {
    let uri = (*random.choice(&ASSETS)).to_owned();
    if random.chance(0.3) {
        return Action { method: "GET", uri, status: "304", bytes: 0 };
    }
    Action { method: "GET", uri, status: "200", bytes: size(random, 18_000.0, 0.6) }
}

fn cart(random: &mut Random) -> Action {
    let method = if random.chance(0.5) { "POST" } else { "GET" };
    Action { method, uri: "/cart".to_owned(), status: "200", bytes: size(random, 3_000.0, 0.3) }
}

fn login(random: &mut Random) -> Action {
    let status = if random.chance(0.12) { "401" } else { "302" };
    Action { method: "POST", uri: "/login".to_owned(), status, bytes: size(random, 900.0, 0.1) }
}

/// Bytes of an answer.
pub(super) fn size(random: &mut Random, median: f64, sigma: f64) -> u64 {
    random.log_normal(median, sigma).round() as u64
}
