//! What hands out power over a tenant: for an operator of the system tenant only where it holds all of it.

use tessera_model::Command;

/// Whether a command gives somebody what they could not do before, or makes the caller somebody who can.
///
/// INVARIANT: every kind is named, so that a new one is not let through unseen. Values of attributes hand out power
/// too, where a rule looks at them: that is found in what was decided.
#[expect(clippy::too_many_lines, reason = "one arm for each command")]
pub(crate) fn hands_out(command: &Command) -> bool {
    match command {
        // A guest is held back from what else there is.
        Command::SetGuest { guest, .. } => !guest,
        Command::LoadSubjects { rows, .. } => rows.iter().any(|keyed| !keyed.row.grants.is_empty()),
        Command::Grant { .. }
        | Command::RenewGrant { .. }
        | Command::GrantGroup { .. }
        | Command::SetGrantConditions { .. }
        | Command::GrantUnder { .. }
        | Command::AddMember { .. }
        | Command::AddSubgroup { .. }
        | Command::ChangeGroupRule { .. }
        | Command::SetRoleParents { .. }
        | Command::CreateRole { .. }
        | Command::CreateRoleIn { .. }
        | Command::ChangeRole { .. }
        | Command::CreateKey { .. }
        | Command::RotateKey { .. }
        | Command::ResetPassword { .. }
        | Command::OpenSession { .. }
        | Command::Impersonate { .. }
        | Command::ApproveRequest { .. }
        | Command::Invite { .. }
        | Command::AnswerInvitation { .. }
        | Command::ResendInvitation { .. }
        | Command::SetPersonalRole { .. }
        | Command::MakePersonalWorkspace { .. }
        | Command::MapPermission { .. }
        | Command::SetEndpoints { .. }
        | Command::SetPolicies { .. }
        | Command::DeletePolicies { .. }
        | Command::ChangeEntities { .. }
        | Command::SetVisibility { .. } => true,
        Command::ClaimOperator { .. }
        | Command::CreateTenant { .. }
        | Command::SuspendTenant { .. }
        | Command::ResumeTenant { .. }
        | Command::DeleteTenant { .. }
        | Command::OfferBootstrap { .. }
        | Command::ChangeSettings { .. }
        | Command::RotateRefreshKeys { .. }
        | Command::ChangeOrigins { .. }
        | Command::BeginEpoch { .. }
        | Command::CreateSubject { .. }
        | Command::SuspendSubject { .. }
        | Command::ResumeSubject { .. }
        | Command::DeleteSubject { .. }
        | Command::EraseSubject { .. }
        | Command::FinishErasure { .. }
        | Command::AddIdentifier { .. }
        | Command::RemoveIdentifier { .. }
        | Command::ChangePassword { .. }
        | Command::SetUpPassword { .. }
        | Command::RehashPassword { .. }
        | Command::ForgetFailures { .. }
        | Command::CountFailure { .. }
        | Command::DeclareAttribute { .. }
        | Command::SetAttributes { .. }
        | Command::RegisterPermission { .. }
        | Command::DeleteRole { .. }
        | Command::CreateWorkspace { .. }
        | Command::DeleteWorkspace { .. }
        | Command::DeleteWorkspaceTree { .. }
        | Command::MoveWorkspace { .. }
        | Command::SetCeiling { .. }
        | Command::SetOwners { .. }
        | Command::Ungrant { .. }
        | Command::CreateGroup { .. }
        | Command::DeleteGroup { .. }
        | Command::RemoveMember { .. }
        | Command::RemoveSubgroup { .. }
        | Command::UngrantGroup { .. }
        | Command::TouchSession { .. }
        | Command::EndSession { .. }
        | Command::EndSubjectSessions { .. }
        | Command::EndTenantSessions { .. }
        | Command::NoteActings { .. }
        | Command::EndOtherSessions { .. }
        | Command::RefreshSession { .. }
        | Command::RevokeKey { .. }
        | Command::CreateClient { .. }
        | Command::ChangeClient { .. }
        | Command::DeleteClient { .. }
        | Command::SetRelationModel { .. }
        | Command::ChangeRelations { .. }
        | Command::UnmapPermission { .. }
        | Command::SetService { .. }
        | Command::RegisterDevice { .. }
        | Command::TrustDevice { .. }
        | Command::RevokeDevice { .. }
        | Command::LimitDevice { .. }
        | Command::LimitTrust { .. }
        | Command::RequireDevices { .. }
        | Command::RequestRole { .. }
        | Command::RefuseRequest { .. }
        | Command::WithdrawRequest { .. }
        | Command::WithdrawInvitation { .. }
        | Command::EraseInvitation { .. }
        | Command::FinishInvitations { .. }
        | Command::PlaceTenant { .. }
        | Command::NoteMove { .. }
        | Command::AdoptTenant { .. }
        | Command::HearFleet {}
        | Command::PlantedPanic { .. } => false,
    }
}
