//! Defects that the simulation must find. They exist in builds for tests alone.

/// One defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(not(feature = "mutants"), allow(unreachable_pub))]
pub enum Mutant {
    /// After a time-out the next command is typed at once, and the late final result is credited to it.
    CreditsLateResults,
    /// After a new login nothing is subscribed to.
    ForgetsSubscriptions,
    /// An acknowledgement is taken whatever packet it names.
    IgnoresPacketIds,
    /// A report between a command and its final result is dropped.
    DropsReportsInReplies,
    /// A message is delivered once `OK` has come.
    TrustsOk,
    /// A message whose link is lost is told as delivered.
    TrustsLostLinks,
    /// The end of the connection is not noticed.
    IgnoresClosed,
    /// An idle module is never asked whether it is still logged in.
    NeverChecks,
    /// Data is typed without waiting for the prompt's time to be over.
    TypesIntoData,
    /// A module that does not answer is waited for in vain.
    NeverResyncs,
    /// An answer is known by its name: `+CREG: 2`, a report, answers `AT+CREG?`.
    AnswersByName,
    /// A report is known by its name: `+CREG: 0,1`, the answer, is none.
    ReportsByName,
    /// The bytes of a line that the port cuts in two are dropped.
    DropsPartialLines,
    /// A second copy of a final result is credited to the command that is next.
    CreditsSecondResults,
    /// A message is read line by line: `OK` in its payload is a final result.
    ReadsPayloads,
    /// After a new login all topics but one are subscribed to.
    ForgetsOneTopic,
    /// The same rung is tried for ever.
    NeverClimbs,
    /// Each wait is twice as long as the one before.
    WaitsWithoutBound,
    /// A message whose outcome is unknown is sent again.
    RepublishesUnasked,
    /// Every packet has the same identifier.
    ReusesPacketIds,
    /// A session is kept whose packet identifiers the module has forgotten.
    KeepsForgottenSessions,
    /// A subscription has ended whatever the broker says.
    TrustsUnsubscriptions,
}

impl Mutant {
    /// All of them.
    #[cfg(feature = "mutants")]
    pub const ALL: &[Self] = &[
        Self::CreditsLateResults,
        Self::ForgetsSubscriptions,
        Self::IgnoresPacketIds,
        Self::DropsReportsInReplies,
        Self::TrustsOk,
        Self::TrustsLostLinks,
        Self::IgnoresClosed,
        Self::NeverChecks,
        Self::TypesIntoData,
        Self::NeverResyncs,
        Self::AnswersByName,
        Self::ReportsByName,
        Self::DropsPartialLines,
        Self::CreditsSecondResults,
        Self::ReadsPayloads,
        Self::ForgetsOneTopic,
        Self::NeverClimbs,
        Self::WaitsWithoutBound,
        Self::RepublishesUnasked,
        Self::ReusesPacketIds,
        Self::KeepsForgottenSessions,
        Self::TrustsUnsubscriptions,
    ];
}
