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
    ];
}
