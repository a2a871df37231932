//! One evaluation in the plain form, read where it lies and answered there. What is not in it, the tree's reader reads and
//! judges ([`crate::read`]).
//!
//! INVARIANT: what reads here, that reader reads alike; and both ways decide and print by the same functions.

use crate::evaluate;
use crate::read::{Entity, Question, Said};
use crate::routes::CHECK;
use tessera_gateway_http::{PlainRequest, Problem, Scan, Value};

/// LIMIT: members of plain properties, and of a plain context: a request's have some four.
const FLAT_MEMBERS_MAX: usize = 8;

/// Members without objects or lists among their values, each name once.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flat<'a> {
    members: [Option<(&'a str, Value<'a>)>; FLAT_MEMBERS_MAX],
}

impl<'a> Flat<'a> {
    fn read(scan: &mut Scan<'a>) -> Option<Self> {
        let (mut flat, mut count) = (Self::default(), 0);
        scan.object(|name, scan| {
            let value = scan.value()?;
            if flat.members.iter().flatten().any(|(known, _)| *known == name) {
                return None;
            }
            *flat.members.get_mut(count)? = Some((name, value));
            count += 1;
            Some(())
        })?;
        Some(flat)
    }

    /// Whether there is a member.
    pub(crate) fn says_anything(&self) -> bool {
        self.members.iter().flatten().next().is_some()
    }

    /// A member; null is the same as none.
    pub(crate) fn member(&self, name: &str) -> Option<Value<'a>> {
        let found = self.members.iter().flatten().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value).filter(|value| *value != Value::Null)
    }
}

/// A subject or a resource.
struct Part<'a> {
    kind: &'a str,
    id: &'a str,
    properties: Flat<'a>,
}

impl<'a> Part<'a> {
    fn read(scan: &mut Scan<'a>) -> Option<Self> {
        let (mut kind, mut id, mut properties) = (None, None, None);
        scan.object(|name, scan| {
            let again = match name {
                "type" => kind.replace(scan.text()?).is_some(),
                "id" => id.replace(scan.text()?).is_some(),
                "properties" => properties.replace(Flat::read(scan)?).is_some(),
                _ => true,
            };
            if again { None } else { Some(()) }
        })?;
        Some(Self { kind: kind?, id: id?, properties: properties.unwrap_or_default() })
    }

    const fn entity(&self) -> Entity<'_> {
        Entity { kind: self.kind, id: Some(self.id), properties: Said::Plain(&self.properties) }
    }
}

/// One evaluation.
struct Evaluation<'a> {
    subject: Part<'a>,
    action: &'a str,
    resource: Part<'a>,
    context: Flat<'a>,
}

impl<'a> Evaluation<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (mut subject, mut action, mut resource, mut context) = (None, None, None, None);
        let mut scan = Scan::new(text);
        scan.object(|name, scan| {
            let again = match name {
                "subject" => subject.replace(Part::read(scan)?).is_some(),
                "action" => action.replace(name_of(scan)?).is_some(),
                "resource" => resource.replace(Part::read(scan)?).is_some(),
                "context" => context.replace(Flat::read(scan)?).is_some(),
                _ => true,
            };
            if again { None } else { Some(()) }
        })?;
        let context = context.unwrap_or_default();
        let read = Self { subject: subject?, action: action?, resource: resource?, context };
        scan.is_over().then_some(read)
    }

    const fn question(&self) -> Question<'_> {
        Question {
            subject: self.subject.entity(),
            action: self.action,
            resource: self.resource.entity(),
            context: Said::Plain(&self.context),
        }
    }
}

/// The name of an action; its properties have no say.
fn name_of<'a>(scan: &mut Scan<'a>) -> Option<&'a str> {
    let (mut action, mut properties) = (None, None);
    scan.object(|name, scan| {
        let again = match name {
            "name" => action.replace(scan.text()?).is_some(),
            "properties" => properties.replace(Flat::read(scan)?).is_some(),
            _ => true,
        };
        if again { None } else { Some(()) }
    })?;
    action
}

/// Answers a plain request; nothing where the general way must.
pub(crate) fn answer(request: &PlainRequest<'_>, out: &mut Vec<u8>) -> Option<Result<(), Problem>> {
    let evaluation = Evaluation::read(request.content())?;
    request.admit(CHECK, |admitted| evaluate::plainly(admitted, &evaluation.question(), out))
}
