export { bootEvents, type BootEvents } from "./boot-events.ts";
export { describeEventLog, type Row } from "./describe.ts";
export { parseEventLog, type EventLog } from "./parse.ts";
export { loggedDigests, replay, type LoggedDigests, type RegisterKind, type ReplayedRegister } from "./replay.ts";
