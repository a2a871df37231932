//! A session or key that a question is asked through: judged as its checks are judged, and everything named that cuts it.

use crate::beside::{cut, device_of, standing};
use crate::bound::Bound;
use crate::check::{Judged, Live, UsedFrom, both, halves};
use crate::circumstances::Circumstances;
use crate::engine::Engine;
use crate::facts::facts_of;
use crate::list::Listing;
use crate::order::{RootCell, Verdict};
use crate::policed::Asked;
use crate::question::{Question, asked};
use crate::resource::judge_question;
use crate::root::Root;
use crate::table::{ALIVE, Fields};
use crate::view::Reading;
use std::net::IpAddr;
use std::sync::Arc;
use tessera_model::device::DeviceRecord;
use tessera_model::visibility::Detail;
use tessera_model::{
    Generation, Network, Pattern, PermissionId, PermissionRef, Place, PublicId, Reason, Refusal,
    RestrictionId, SubjectIndex, Trust, UnixMillis, WorkspaceIndex, WorkspaceRef,
};
use tessera_policy::{Facts, Within};

/// A session or key as it was read, for an explanation.
#[derive(Clone, Debug)]
pub struct Through {
    life: (Place, Generation),
    fields: Fields,
    /// The place of whoever acts in it.
    by: Option<(Place, Fields)>,
    /// When it was read: the time for ends, and the one for beginnings, earlier while the clock is in doubt.
    when: (UnixMillis, UnixMillis),
}

/// What cuts a question that is asked through a session or key, by itself: were the others gone, it would be denied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cut {
    /// The session or key covers these alone.
    Restriction(Vec<Pattern>),
    /// It is used from one of these networks alone.
    Networks(Vec<Network>),
    /// The ceiling of the level to which its device is trusted.
    Level(Trust, Vec<Pattern>),
    /// The ceiling of its device; without patterns, the device was revoked.
    Device(PublicId, Vec<Pattern>),
    /// Whoever acts in it may not do that, or not act for others any more, or not from there or with their device, of
    /// which nobody else is told more; `None` for somebody whom the reader does not see.
    Actor(Option<PublicId>),
}

/// What is asked, by number, and from where.
pub(crate) struct Put<'a> {
    pub(crate) permission: PermissionId,
    pub(crate) workspace: WorkspaceIndex,
    pub(crate) resource: Option<&'a str>,
    pub(crate) with: Option<&'a Circumstances>,
    pub(crate) address: Option<IpAddr>,
}

impl Reading<'_> {
    /// The session or key with this public id, for an explanation; `None` for one that has ended.
    fn through(&self, id: PublicId) -> Option<Through> {
        let (place, generation) = id.place();
        let fields = self.whole(place);
        let [head, ..] = fields;
        let opened = Live::of(&fields).opened;
        let same = head & ALIVE != 0
            && halves(head).0 == generation.0
            && PublicId::of_place(opened, place, generation) == id;
        if !same {
            return None;
        }
        let root = self.view.root.load();
        let acting = root.acts.alive.get(&(place, generation));
        let by = acting.map(|acting| (acting.by.0, self.whole(acting.by.0)));
        Some(Through { life: (place, generation), fields, by, when: (self.now, self.early) })
    }
}

impl Engine {
    /// The session or key of a subject that is explained through: one's own, or of somebody whose sessions or keys one may
    /// list.
    ///
    /// # Errors
    /// `SessionUnknown` for one that has ended, `Unauthorized` for one that may not be asked through.
    pub fn through(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        (subject, id): (PublicId, PublicId),
    ) -> Result<Through, Refusal> {
        let through = reading.through(id).ok_or(Refusal::SessionUnknown)?;
        let key = Live::of(&through.fields).key;
        let needed = if key { "tessera.admin.keys" } else { "tessera.admin.sessions" };
        let own = bound.subject == subject && !bound.key && !bound.acting;
        if own || self.may(bound, needed) { Ok(through) } else { Err(Refusal::Unauthorized) }
    }
}

impl Through {
    /// That it is a subject's, and that a reader is shown those.
    pub(crate) fn is_of(&self, listing: &Listing, subject: SubjectIndex) -> Result<(), Refusal> {
        let live = Live::of(&self.fields);
        if live.subject != subject {
            return Err(Refusal::SessionUnknown);
        }
        let detail = if live.key { Detail::Keys } else { Detail::Sessions };
        if listing.shows(subject, detail) { Ok(()) } else { Err(Refusal::NotShown) }
    }

    /// What is known of it.
    pub(crate) fn facts(&self, root: &Root, address: Option<IpAddr>) -> Facts {
        facts_of(root, &self.fields, address)
    }

    fn who(&self) -> (u32, (u64, u64)) {
        let [_, w1, w2, ..] = self.fields;
        (self.life.1.0, (w1, w2))
    }

    /// The places that its checks read beside its own.
    fn read(&self, place: Place) -> Fields {
        self.by.filter(|(by, _)| *by == place).map(|(_, fields)| fields).unwrap_or_default()
    }

    /// What a check of it says.
    pub(crate) fn judge(&self, root: &Root, put: &Put<'_>, at: UnixMillis) -> Judged {
        let question = Question {
            permission: PermissionRef::Id(put.permission),
            workspace: WorkspaceRef::Index(put.workspace),
        };
        let from = UsedFrom::Address(&put.address);
        let at_time = |now| {
            let about = (put.resource, put.with);
            let judged = judge_question((root, &self.fields), self.who(), (&question, about, from), now);
            let read = |place| self.read(place);
            match standing(root, &self.fields, self.who(), (self.life.0, from), (&read, now)) {
                Ok(standing) => cut(judged, root, Some(put.permission), standing, now),
                Err(denied) => denied,
            }
        };
        let (judged, (now, early)) = (at_time(at), self.when);
        if at == now && early < now && judged.permits() { both(judged, at_time(early)) } else { judged }
    }

    /// What policies are asked of it.
    pub(crate) fn asked(&self, root: &Root, put: &Put<'_>) -> Option<Asked> {
        let question = (PermissionRef::Id(put.permission), WorkspaceRef::Index(put.workspace));
        asked(root, &self.fields, question, UsedFrom::Seen(&put.address))
    }

    /// The device that it stands on. That of whoever acts in it is nobody else's business: it is told as theirs.
    fn device<'r>(&self, root: &'r Root) -> Option<&'r Arc<DeviceRecord>> {
        root.devices.get(&(Live::of(&self.fields).subject, device_of(&self.fields)))
    }

    /// Everything that cuts what is asked, whether anything gives it or not.
    pub(crate) fn cuts(&self, listing: &Listing, put: &Put<'_>, now: UnixMillis) -> Vec<Cut> {
        let root: &Root = &listing.0;
        let (from, read) = (UsedFrom::Address(&put.address), |place| self.read(place));
        let stands = standing(root, &self.fields, self.who(), (self.life.0, from), (&read, now));
        let device = self.device(root);
        let actor = || {
            let acting = root.acts.alive.get(&self.life);
            Cut::Actor(acting.and_then(|acting| listing.shown_id(acting.actor)))
        };
        let (mut cuts, within) = match stands {
            Ok((_, within)) => (Vec::new(), within),
            Err(denied) => (self.denied(root, denied.reason, &actor), Within::default()),
        };
        if put.permission == PermissionId(0) {
            return cuts;
        }
        let patterns = |id: RestrictionId| {
            root.restrictions.get(&id).map(|record| record.patterns.clone()).unwrap_or_default()
        };
        let restriction = Live::of(&self.fields).restriction;
        let found = root.rules.cuts_of(restriction, put.permission, &within, now);
        let ([level, own], [of_level, of_device]) = (within.ceilings, found.device);
        cuts.extend(found.restriction.then(|| Cut::Restriction(patterns(restriction))));
        if let Some(device) = device {
            cuts.extend(of_level.then(|| Cut::Level(device.trust, patterns(level))));
            cuts.extend(of_device.then(|| Cut::Device(device.id, patterns(own))));
        }
        let theirs = device.is_none() && (of_level || of_device);
        cuts.extend((found.actor || theirs).then(actor));
        cuts
    }

    /// What is named where it may not be used at all.
    #[expect(clippy::wildcard_enum_match_arm, reason = "of the rest the reason says everything")]
    fn denied(&self, root: &Root, reason: Reason, actor: &dyn Fn() -> Cut) -> Vec<Cut> {
        let of = |life: &(Place, Generation)| root.sides.get(life).map(|networks| networks.to_vec());
        match reason {
            Reason::AddressNotAllowed => vec![of(&self.life).map_or_else(actor, Cut::Networks)],
            Reason::DeviceRevoked => {
                let device = self.device(root).map(|device| Cut::Device(device.id, Vec::new()));
                vec![device.unwrap_or_else(actor)]
            }
            Reason::ActorGone => vec![actor()],
            _ => Vec::new(),
        }
    }
}
