//! Word lists of the tokeniser, in one place so that a reader sees what is known beforehand. Everything else about
//! a log is learnt from the log.

/// Words that announce a value: two different words after one of them make the position a wildcard.
pub(super) const ANNOUNCING: &[&str] =
    &["user", "User", "username", "account", "login", "host", "hostname", "Host", "for"];

/// Units that belong to the number right before them.
pub(super) fn is_unit(word: &[u8]) -> bool {
    matches!(
        word,
        b"B" | b"KB"
            | b"MB"
            | b"GB"
            | b"TB"
            | b"KiB"
            | b"MiB"
            | b"GiB"
            | b"kB"
            | b"Kb"
            | b"K"
            | b"M"
            | b"G"
            | b"k"
            | b"bytes"
            | b"byte"
            | b"Bytes"
            | b"Hz"
            | b"MHz"
            | b"GHz"
    ) || is_unit_of_time(word)
}

fn is_unit_of_time(word: &[u8]) -> bool {
    matches!(
        word,
        b"ms"
            | b"us"
            | b"ns"
            | b"s"
            | b"sec"
            | b"secs"
            | b"second"
            | b"seconds"
            | b"min"
            | b"mins"
            | b"minute"
            | b"minutes"
            | b"hour"
            | b"hours"
            | b"h"
            | b"d"
            | b"day"
            | b"days"
            | b"AM"
            | b"PM"
            | b"am"
            | b"pm"
            | b"UTC"
            | b"GMT"
            | b"EDT"
            | b"EST"
            | b"PDT"
            | b"PST"
            | b"CST"
            | b"CEST"
            | b"CET"
    )
}

/// Short names of days and months, which before a value are part of a date.
pub(super) fn is_date_word(word: &[u8]) -> bool {
    matches!(
        word,
        b"Mon"
            | b"Tue"
            | b"Wed"
            | b"Thu"
            | b"Fri"
            | b"Sat"
            | b"Sun"
            | b"Jan"
            | b"Feb"
            | b"Mar"
            | b"Apr"
            | b"May"
            | b"Jun"
            | b"Jul"
            | b"Aug"
            | b"Sep"
            | b"Oct"
            | b"Nov"
            | b"Dec"
    )
}

/// Levels that loggers print, as they print them.
pub(super) fn is_level(word: &[u8]) -> bool {
    matches!(
        word,
        b"TRACE"
            | b"DEBUG"
            | b"INFO"
            | b"NOTICE"
            | b"WARN"
            | b"WARNING"
            | b"ERROR"
            | b"SEVERE"
            | b"FATAL"
            | b"CRITICAL"
    )
}

/// Literals that programs print for a truth value or for nothing.
pub(super) fn is_literal(word: &[u8]) -> bool {
    matches!(
        word,
        b"true"
            | b"false"
            | b"null"
            | b"True"
            | b"False"
            | b"None"
            | b"TRUE"
            | b"FALSE"
            | b"NULL"
            | b"nil"
            | b"NaN"
    )
}

/// A lower-case dotted name that ends like an internet name and does not begin like a reversed one (a class).
pub(super) fn is_host(word: &[u8]) -> bool {
    if !word.iter().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'-' | b'_')) {
        return false;
    }
    let first = word.split(|&b| b == b'.').next().unwrap_or_default();
    let last = word.rsplit(|&b| b == b'.').next().unwrap_or_default();
    if matches!(first, b"com" | b"org" | b"net" | b"java" | b"javax" | b"io" | b"edu" | b"sun") {
        return false;
    }
    let dots = word.iter().filter(|&&b| b == b'.').count();
    let known_ending = matches!(
        last,
        b"com"
            | b"org"
            | b"net"
            | b"edu"
            | b"gov"
            | b"mil"
            | b"int"
            | b"info"
            | b"biz"
            | b"local"
            | b"localdomain"
            | b"lan"
            | b"internal"
    );
    known_ending || (dots >= 2 && last.len() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_classes_and_files() {
        for host in ["mail.example.com", "printer.local", "a.b.uk"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for other in ["org.apache.hadoop", "java.lang", "server.xml", "Mail.example.com", "plain"] {
            assert!(!is_host(other.as_bytes()), "{other}");
        }
    }
}
