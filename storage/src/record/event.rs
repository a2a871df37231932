//! Events as records: one kind number, then the fields; what stands behind a semicolon is stored sealed.

use super::field::{Blank, Field, Reader, RecordError};
use tessera_model::{Event, SubjectIndex};

macro_rules! events {
    ($($number:literal => $name:ident $( ( $inner:ident ) )? $( { $($field:ident),* $(; $hidden:ident)? } )?;)*) => {
        impl Field for Event {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$name $( ( $inner ) )? $( { $($field,)* $($hidden: _,)? } )? => {
                        out.push($number);
                        $($inner.put(out);)?
                        $($($field.put(out);)*)?
                    })*
                }
            }

            fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
                match u8::take(input)? {
                    $($number => {
                        $(let $inner = Field::take(input)?;)?
                        $($(let $field = Field::take(input)?;)*)?
                        Ok(Self::$name $( ( $inner ) )? $( { $($field,)* $($hidden: Blank::blank(),)? } )?)
                    })*
                    _ => Err(RecordError::BadNumber),
                }
            }

            fn put_private(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$name $( ( $inner ) )? $( { $($field,)* $($hidden,)? } )? => {
                        $($inner.put_private(out);)?
                        $($($field.put_private(out);)* $($hidden.put(out);)?)?
                    })*
                }
            }

            fn take_private(&mut self, input: &mut Reader<'_>) -> Result<(), RecordError> {
                match self {
                    $(Self::$name $( ( $inner ) )? $( { $($field,)* $($hidden,)? } )? => {
                        $($inner.take_private(input)?;)?
                        $($($field.take_private(input)?;)* $(*$hidden = Field::take(input)?;)?)?
                    })*
                }
                Ok(())
            }

            fn owner(&self) -> Option<SubjectIndex> {
                match self {
                    $(Self::$name $( ( $inner ) )? $( { $($field,)* $($hidden: _,)? } )? => {
                        let found = None;
                        $(let found = found.or_else(|| $inner.owner());)?
                        $($(let found = found.or_else(|| $field.owner());)*)?
                        found
                    })*
                }
            }
        }
    };
}

/// Whether it says something without what was erased of it; the others are passed over then.
pub(crate) const fn outlives_its_key(event: &Event) -> bool {
    !matches!(
        event,
        Event::IdentifierTaken { .. } | Event::IdentifierFreed { .. } | Event::FailuresCounted(_)
    )
}

/// Whether a part of it is stored sealed.
pub(crate) fn is_private(event: &Event) -> bool {
    let mut private = Vec::new();
    event.put_private(&mut private);
    !private.is_empty()
}

events! {
    1 => TenantBorn { tenant, at };
    2 => SettingsChanged(record);
    3 => TenantChanged(record);
    4 => BootstrapChanged { tag, until };
    5 => SubjectChanged(record);
    6 => IdentifierTaken { subject; hash };
    7 => IdentifierFreed { subject; hash };
    8 => AttributeDeclared(record);
    9 => AttributeChanged { subject, attribute; value };
    10 => PermissionRegistered { id, name };
    11 => RoleChanged(record);
    12 => RoleRemoved(record);
    13 => WorkspaceChanged(record);
    14 => WorkspaceRemoved(record);
    15 => GrantAdded(record);
    16 => GrantRemoved { subject, role, workspace };
    17 => RestrictionAdded(record);
    18 => RestrictionRemoved(record);
    19 => SessionOpened { record, evicted };
    20 => SessionTouched { place, generation, idle };
    21 => SessionEnded { place, generation, reason };
    22 => CutOffRaised { subject, count, spared };
    23 => CommandRemembered(record);
    24 => CommandFloor { unix_ms };
    25 => SetUpOffered { subject, tag, until };
    26 => FailuresCounted(record);
    27 => SessionRefreshed { place, generation, refresh, idle };
    28 => ClientChanged(record);
    29 => ClientRemoved(record);
    30 => RefreshKeyMade { number, at };
    31 => RefreshKeyDropped { number };
    32 => NetworksBound { place, generation, networks };
    33 => ExpiresMoved { place, generation, expires };
    34 => GroupChanged(record);
    35 => GroupRemoved(record);
    36 => MemberAdded(record);
    37 => MemberRemoved { subject, group };
    38 => GroupGrantAdded(record);
    39 => GroupGrantRemoved { group, role, workspace };
    40 => RelationModelChanged(record);
    41 => RelationWritten(record);
    42 => RelationRemoved { object, relation, subject };
    43 => PermissionMapped(record);
    44 => PermissionUnmapped { permission, type_name };
    45 => NumbersSkipped { tenant, subject, permission, workspace };
    46 => ServiceChanged(record);
    47 => ServiceRemoved(record);
    50 => PoliciesChanged(record);
    51 => PoliciesRemoved { version };
    52 => EntityChanged(record);
    53 => EntityRemoved(record);
    60 => DeviceChanged(record);
    61 => DeviceRemoved { subject, number };
    62 => DevicePolicyChanged(record);
    63 => ActingBegun(record);
    64 => RequestChanged(record);
    65 => RequestRemoved { number };
    66 => NamesSkipped { role, group };
    70 => GrantConditionsSet(record);
    80 => EndpointsChanged(record);
    81 => EndpointsRemoved(record);
    120 => VisibilityChanged(record);
    121 => CreatorNoted { subject, by };
    122 => ActingNoted(record);
    123 => ActingForgotten { subject, number };
    140 => InvitationChanged(record);
    141 => InvitationRemoved { number };
    142 => PersonalRoleChanged { role };
    224 => SubjectErased { subject, at, done };
    250 => InvitationErased { number };
    251 => NumbersKept { client, device, request };
    240 => TenantPlaced(record);
    244 => TenantLeaving { to, epoch, from };
    245 => TenantStays;
    246 => TenantMoved { to, epoch };
    247 => TenantArrived { from, into, upto };
    248 => FleetHeard { epoch };
    249 => TenantCopyGone;
}
