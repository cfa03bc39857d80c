//! Tests of the policy engine that need more than one of its files.

mod admission;
mod decide;
mod decisions;
mod explanation;
mod fixture;
mod oracle;
mod properties;
mod refused;
mod resolution;
mod windows;
