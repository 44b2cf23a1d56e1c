export { bootEvents, type BootEvents, type SeparatorState } from "./boot-events.ts";
export { describeEventLog, type Row } from "./describe.ts";
export { bankOf, BANKS, hash, type Bank, type HashAlgorithm } from "./hash-algorithm.ts";
export { parseEventLog, type EventLog, type LogEvent } from "./parse.ts";
export { initialValue, replay, startupLocality, type RegisterKind, type ReplayedRegister } from "./replay.ts";
