//! The modeling language of `OpenFGA`, schema 1.1, and 1.2 without modules: text to [`Model`].
//!
//! Total: any text gives a model or one error with line and column; bytes, nesting and operands are
//! bounded. Conditions and modules are refused as not supported, never read over.

use crate::error::{ModelError, ModelReason};
use crate::lex::{Token, lex};
use crate::model::{
    Model, Position, RelationDefinition, Restriction, RestrictionKind, Rewrite, TypeDefinition,
};
use crate::text::{is_relation_name, is_type_name, shortened};

/// LIMIT: parentheses within parentheses.
pub(crate) const NESTING_MAX: u32 = 32;
/// LIMIT: types, relations, restrictions and operands of a model, together.
pub(crate) const NODES_MAX: u32 = 16_384;
/// Words that are operators inside a definition, and so name no relation there.
const OPERATORS: &[&str] = &["or", "and", "but", "not", "from", "with"];

impl Model {
    /// Reads a model: the modeling language, or its JSON form, which begins with a brace.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line and column. Nothing of the model is taken then.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        if text.trim_start().starts_with('{') {
            return Self::parse_json(text);
        }
        let tokens = lex(text)?;
        let mut parser = Parser { tokens: &tokens, nodes: 0, direct: None };
        parser.model()
    }
}

struct Parser<'a> {
    tokens: &'a [(Token<'a>, Position)],
    nodes: u32,
    /// The list of types of the relation that is being read.
    direct: Option<Vec<Restriction>>,
}

fn unexpected(found: Token<'_>, at: Position, expected: &'static str) -> ModelError {
    ModelError::new(at, ModelReason::Unexpected { found: found.shown(), expected })
}

impl<'a> Parser<'a> {
    fn peek(&self) -> (Token<'a>, Position) {
        self.tokens.first().copied().unwrap_or((Token::End, Position::default()))
    }

    fn next(&mut self) -> (Token<'a>, Position) {
        let first = self.peek();
        if let Some((_, rest)) = self.tokens.split_first()
            && !rest.is_empty()
        {
            self.tokens = rest;
        }
        first
    }

    fn skip_lines(&mut self) {
        while self.peek().0 == Token::Newline {
            self.next();
        }
    }

    fn word(&mut self, expected: &'static str) -> Result<(&'a str, Position), ModelError> {
        match self.next() {
            (Token::Word(word), at) => Ok((word, at)),
            (found @ (Token::Sign(_) | Token::Newline | Token::End), at) => {
                Err(unexpected(found, at, expected))
            }
        }
    }

    fn keyword(&mut self, keyword: &str, expected: &'static str) -> Result<(), ModelError> {
        match self.next() {
            (Token::Word(word), _) if word == keyword => Ok(()),
            (found, at) => Err(unexpected(found, at, expected)),
        }
    }

    fn sign(&mut self, sign: char, expected: &'static str) -> Result<(), ModelError> {
        match self.next() {
            (Token::Sign(found), _) if found == sign => Ok(()),
            (found, at) => Err(unexpected(found, at, expected)),
        }
    }

    fn line_end(&mut self) -> Result<(), ModelError> {
        match self.peek() {
            (Token::Newline, _) => {
                self.next();
                Ok(())
            }
            (Token::End, _) => Ok(()),
            (found @ (Token::Word(_) | Token::Sign(_)), at) => {
                Err(unexpected(found, at, "the end of the line"))
            }
        }
    }

    fn count(&mut self, at: Position) -> Result<(), ModelError> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX { Err(ModelError::new(at, ModelReason::TooMany)) } else { Ok(()) }
    }

    fn model(&mut self) -> Result<Model, ModelError> {
        self.skip_lines();
        if let (Token::Word("module"), at) = self.peek() {
            return Err(ModelError::new(at, ModelReason::NotSupported { what: "modules" }));
        }
        self.keyword("model", "model")?;
        self.line_end()?;
        self.skip_lines();
        self.keyword("schema", "schema and its version")?;
        let (version, at) = self.word("a version")?;
        if !matches!(version, "1.1" | "1.2") {
            return Err(ModelError::new(at, ModelReason::Version { found: shortened(version) }));
        }
        self.line_end()?;
        let mut types: Vec<TypeDefinition> = Vec::new();
        loop {
            self.skip_lines();
            match self.next() {
                (Token::End, _) => return Ok(Model { types }),
                (Token::Word("type"), _) => {
                    let one = self.type_definition()?;
                    types.push(one);
                }
                (Token::Word("condition"), at) => {
                    return Err(ModelError::new(at, ModelReason::NotSupported { what: "conditions" }));
                }
                (Token::Word("extend" | "module"), at) => {
                    return Err(ModelError::new(at, ModelReason::NotSupported { what: "modules" }));
                }
                (found, at) => return Err(unexpected(found, at, "type")),
            }
        }
    }

    fn type_definition(&mut self) -> Result<TypeDefinition, ModelError> {
        let (name, at) = self.word("the name of the type")?;
        if !is_type_name(name) {
            return Err(ModelError::new(at, ModelReason::Name { name: shortened(name) }));
        }
        self.count(at)?;
        self.line_end()?;
        self.skip_lines();
        let mut relations = Vec::new();
        if self.peek().0 == Token::Word("relations") {
            self.next();
            self.line_end()?;
            loop {
                self.skip_lines();
                if self.peek().0 != Token::Word("define") {
                    break;
                }
                self.next();
                let one = self.relation()?;
                relations.push(one);
            }
            if relations.is_empty() {
                let (found, at) = self.peek();
                return Err(unexpected(found, at, "define"));
            }
        }
        Ok(TypeDefinition { name: name.to_owned(), at, relations })
    }

    fn relation(&mut self) -> Result<RelationDefinition, ModelError> {
        let (name, at) = self.word("the name of the relation")?;
        if !is_relation_name(name) {
            return Err(ModelError::new(at, ModelReason::Name { name: shortened(name) }));
        }
        self.count(at)?;
        self.sign(':', "a colon")?;
        self.direct = None;
        let rewrite = self.rewrite(0)?;
        self.line_end()?;
        let direct = self.direct.take().unwrap_or_default();
        Ok(RelationDefinition { name: name.to_owned(), at, direct, rewrite })
    }

    /// Operands that one kind of operator joins.
    fn rewrite(&mut self, depth: u32) -> Result<Rewrite, ModelError> {
        let first = self.operand(depth)?;
        let (Token::Word(operator), _) = self.peek() else { return Ok(first) };
        let rewrite = match operator {
            "or" => Rewrite::Union(self.operands(first, "or", depth)?),
            "and" => Rewrite::Intersection(self.operands(first, "and", depth)?),
            "but" => {
                self.next();
                self.keyword("not", "not")?;
                Rewrite::Exclusion(Box::new(first), Box::new(self.operand(depth)?))
            }
            _ => return Ok(first),
        };
        match self.peek() {
            (Token::Word("or" | "and" | "but"), at) => Err(ModelError::new(at, ModelReason::MixedOperators)),
            (Token::Word(_) | Token::Sign(_) | Token::Newline | Token::End, _) => Ok(rewrite),
        }
    }

    fn operands(
        &mut self,
        first: Rewrite,
        operator: &'static str,
        depth: u32,
    ) -> Result<Vec<Rewrite>, ModelError> {
        let mut operands = vec![first];
        while self.peek().0 == Token::Word(operator) {
            self.next();
            let one = self.operand(depth)?;
            operands.push(one);
        }
        Ok(operands)
    }

    fn operand(&mut self, depth: u32) -> Result<Rewrite, ModelError> {
        let (token, at) = self.next();
        self.count(at)?;
        match token {
            Token::Sign('[') => {
                if self.direct.is_some() {
                    return Err(unexpected(token, at, "a relation: its types are listed once"));
                }
                let list = self.restrictions()?;
                self.direct = Some(list);
                Ok(Rewrite::Direct)
            }
            Token::Sign('(') => {
                if depth >= NESTING_MAX {
                    return Err(ModelError::new(at, ModelReason::TooDeep));
                }
                let inner = self.rewrite(depth.saturating_add(1))?;
                self.sign(')', "a closing parenthesis")?;
                Ok(inner)
            }
            Token::Word(relation) if !OPERATORS.contains(&relation) => {
                if self.peek().0 != Token::Word("from") {
                    return Ok(Rewrite::Computed { relation: relation.to_owned(), at });
                }
                self.next();
                let (tupleset, at) = self.word("the relation that names the object")?;
                Ok(Rewrite::From { relation: relation.to_owned(), tupleset: tupleset.to_owned(), at })
            }
            Token::Word(_) | Token::Sign(_) | Token::Newline | Token::End => {
                Err(unexpected(token, at, "a relation, a list of types or a parenthesis"))
            }
        }
    }

    /// What stands between `[` and `]`.
    fn restrictions(&mut self) -> Result<Vec<Restriction>, ModelError> {
        let mut list = Vec::new();
        loop {
            let (type_name, at) = self.word("a type")?;
            self.count(at)?;
            let kind = match self.peek().0 {
                Token::Sign('#') => {
                    self.next();
                    let (relation, _) = self.word("a relation")?;
                    RestrictionKind::Userset(relation.to_owned())
                }
                Token::Sign(':') => {
                    self.next();
                    self.sign('*', "an asterisk")?;
                    RestrictionKind::Wildcard
                }
                Token::Word(_) | Token::Sign(_) | Token::Newline | Token::End => RestrictionKind::Object,
            };
            list.push(Restriction { type_name: type_name.to_owned(), kind, at });
            match self.next() {
                (Token::Sign(','), _) => {}
                (Token::Sign(']'), _) => return Ok(list),
                (Token::Word("with"), at) => {
                    return Err(ModelError::new(at, ModelReason::NotSupported { what: "conditions" }));
                }
                (found, at) => return Err(unexpected(found, at, "a comma or a closing bracket")),
            }
        }
    }
}
