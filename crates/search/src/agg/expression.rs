//! The calculations of `bucket_script` and `bucket_selector`: arithmetic, comparisons, `? :`, `Math`. Anything else is a
//! compile error, never a guess.

use crate::error::{Error, Result};

/// A compiled calculation. Truth is 1, falsehood 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expression {
    source: String,
    root: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Number(f64),
    Variable(String),
    Unary(char, Box<Node>),
    Binary(&'static str, Box<Node>, Box<Node>),
    Choice(Box<Node>, Box<Node>, Box<Node>),
    Call(String, Vec<Node>),
}

/// Operators from the loosest to the tightest; the longer of two that begin alike comes first.
const LEVELS: [&[&str]; 6] =
    [&["||"], &["&&"], &["==", "!="], &["<=", ">=", "<", ">"], &["+", "-"], &["*", "/", "%"]];

const MAX_DEPTH: usize = 40;

impl Expression {
    /// Compiles a script.
    pub(super) fn compile(source: &str) -> Result<Self> {
        let text = source.trim().trim_end_matches(';').trim();
        let text = text.strip_prefix("return ").unwrap_or(text);
        let mut parser = Parser { rest: text, depth: 0 };
        let parsed = parser.choice().and_then(|root| parser.end().map(|()| root));
        match parsed {
            Ok(root) => Ok(Self { source: source.to_owned(), root }),
            Err(detail) => Err(Error::Script { reason: "compile error", script: source.to_owned(), detail }),
        }
    }

    /// Calculates with these values of `params`.
    pub(super) fn evaluate(&self, variables: &[(&str, f64)]) -> Result<f64> {
        value(&self.root, variables).map_err(|detail| Error::Script {
            reason: "runtime error",
            script: self.source.clone(),
            detail,
        })
    }
}

fn value(node: &Node, variables: &[(&str, f64)]) -> Result<f64, String> {
    let truth = |yes: bool| f64::from(u8::from(yes));
    Ok(match node {
        Node::Number(number) => *number,
        Node::Variable(name) => variables
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| *value)
            .ok_or_else(|| format!("params.{name} is not defined"))?,
        Node::Unary('!', inner) => truth(value(inner, variables)? == 0.0),
        Node::Unary(_, inner) => -value(inner, variables)?,
        Node::Choice(test, yes, no) => {
            value(if value(test, variables)? != 0.0 { yes } else { no }, variables)?
        }
        Node::Binary(operator, left, right) => {
            let (a, b) = (value(left, variables)?, value(right, variables)?);
            match *operator {
                "||" => truth(a != 0.0 || b != 0.0),
                "&&" => truth(a != 0.0 && b != 0.0),
                "==" => truth(a == b),
                "!=" => truth(a != b),
                "<=" => truth(a <= b),
                ">=" => truth(a >= b),
                "<" => truth(a < b),
                ">" => truth(a > b),
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                "/" => a / b,
                _ => a % b,
            }
        }
        Node::Call(name, arguments) => {
            let arguments =
                arguments.iter().map(|one| value(one, variables)).collect::<Result<Vec<_>, _>>()?;
            match (name.as_str(), arguments.as_slice()) {
                ("abs", [x]) => x.abs(),
                ("sqrt", [x]) => x.sqrt(),
                ("floor", [x]) => x.floor(),
                ("ceil", [x]) => x.ceil(),
                ("round", [x]) => (x + 0.5).floor(),
                ("log", [x]) => x.ln(),
                ("log10", [x]) => x.log10(),
                ("exp", [x]) => x.exp(),
                ("pow", [x, y]) => x.powf(*y),
                ("min", [x, y]) => x.min(*y),
                ("max", [x, y]) => x.max(*y),
                _ => return Err(format!("unknown call [Math.{name}] with [{}] arguments", arguments.len())),
            }
        }
    })
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn take(&mut self, text: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn end(&mut self) -> Result<(), String> {
        if self.rest.trim().is_empty() {
            Ok(())
        } else {
            Err(format!("unexpected token [{}]", self.rest.trim()))
        }
    }

    fn choice(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("too many nested parentheses".to_owned());
        }
        let test = self.level(0)?;
        let node = if self.take("?") {
            let yes = self.choice()?;
            if !self.take(":") {
                return Err("expected [:]".to_owned());
            }
            Node::Choice(Box::new(test), Box::new(yes), Box::new(self.choice()?))
        } else {
            test
        };
        self.depth -= 1;
        Ok(node)
    }

    fn level(&mut self, level: usize) -> Result<Node, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.take(operator)) {
            left = Node::Binary(operator, Box::new(left), Box::new(self.level(level + 1)?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, String> {
        for sign in ['!', '-'] {
            if self.take(&sign.to_string()) {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err("too many signs".to_owned());
                }
                let inner = self.unary()?;
                self.depth -= 1;
                return Ok(Node::Unary(sign, Box::new(inner)));
            }
        }
        if self.take("(") {
            let inner = self.choice()?;
            return if self.take(")") { Ok(inner) } else { Err("expected [)]".to_owned()) };
        }
        self.atom()
    }

    fn name(&mut self) -> &'a str {
        let end =
            self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name
    }

    fn atom(&mut self) -> Result<Node, String> {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(self.rest.len());
        if end > 0 {
            let (number, rest) = self.rest.split_at(end);
            // Java's suffixes change nothing here.
            self.rest = rest.strip_prefix(['L', 'l', 'f', 'F', 'd', 'D']).unwrap_or(rest);
            return number.parse().map(Node::Number).map_err(|_| format!("invalid number [{number}]"));
        }
        if self.take("params.") {
            let name = self.name();
            return if name.is_empty() {
                Err("expected a name".to_owned())
            } else {
                Ok(Node::Variable(name.to_owned()))
            };
        }
        if self.take("Math.") {
            let name = self.name().to_owned();
            if !self.take("(") {
                return Err("expected [(]".to_owned());
            }
            let mut arguments = vec![self.choice()?];
            while self.take(",") {
                arguments.push(self.choice()?);
            }
            return if self.take(")") {
                Ok(Node::Call(name, arguments))
            } else {
                Err("expected [)]".to_owned())
            };
        }
        match self.name() {
            "true" => Ok(Node::Number(1.0)),
            "false" => Ok(Node::Number(0.0)),
            "" => Err(format!("unexpected token [{}]", self.rest)),
            name => Err(format!("cannot resolve symbol [{name}]")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calculations() {
        for (script, expected) in [
            ("1 + 2 * 3", 7.0),
            ("(1 + 2) * -3", -9.0),
            ("params.a / params.b * 100", 50.0),
            ("params.a > 1 && !(params.b == 2)", 0.0),
            ("params.a >= 1 ? 10 : 20;", 10.0),
            ("return Math.max(params.a, 7L)", 7.0),
            ("8 - 3 - 2", 3.0),
        ] {
            let found = Expression::compile(script).unwrap().evaluate(&[("a", 1.0), ("b", 2.0)]).unwrap();
            assert_eq!(found, expected, "{script}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in ["", "1 +", "doc['f'].value", "params.", "(1", "1 2", "x = 1", "Math.max(1"] {
            assert_eq!(Expression::compile(bad).unwrap_err().exception(), "script_exception", "{bad}");
        }
        assert!(Expression::compile(&"(".repeat(100_000)).is_err());
        assert!(Expression::compile("params.x").unwrap().evaluate(&[]).is_err());
    }
}
