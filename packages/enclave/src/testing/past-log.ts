/** Logs of past instances, and instances that begin over them. */
import type { HandOver, SignedLostStore } from "@cmcp/audit";
import { LOWEST_LABEL } from "@cmcp/session";
import { callerOf, HostStore, ORIGIN, recordRoom, type RecordRoomOptions } from "./record-room.ts";
import { labelOf } from "./labels.ts";
import { readLog, type LogPast } from "../record/read-log.ts";
import { recoverInterrupted } from "../record/recovery.ts";

/** A day in milliseconds. */
export const DAY = 86_400_000;
/** An instance with its record. */
export type Room = ReturnType<typeof recordRoom>;

/** Believes every hand-over. */
export const believed = (): Promise<boolean> => Promise.resolve(true);

/** An instance that two principals used, one of whom saw something. */
export async function ranBefore(
  store: HostStore,
  said?: Partial<HandOver>,
  choices?: RecordRoomOptions,
): Promise<Room> {
  const room = recordRoom(store, choices);
  await room.begin(said);
  for (const [principal, label] of [
    ["alice", "pii"],
    ["bob", LOWEST_LABEL],
  ] as const) {
    const recorded = await room.sessions.openOrJoin(callerOf(principal), null);
    await room.recorder.ensureStarted(recorded);
    recorded.session.raise(labelOf(label));
    await room.recorder.note(recorded, {
      entry_type: "fault",
      session_sensitivity_after: recorded.session.sensitivity,
    }).stored;
    await room.closing.close(recorded);
  }
  return room;
}

/** Begins over what the host shows. */
export async function began(
  store: HostStore,
  believes: (handOver: HandOver) => Promise<boolean> = believed,
  lostStore: SignedLostStore | null = null,
) {
  const room = recordRoom(store);
  const past = await readLog({ journal: room.journal, origin: ORIGIN, lostStore, believes });
  room.journal.state = past.state;
  await room.begin({ history: past.history, predecessor: past.predecessor });
  return { room, past };
}

/** An instance that has begun, and what it read. */
export interface Began {
  readonly room: Room;
  readonly past: LogPast;
}

/** The labels that principals then have. */
export async function labelsIn({ room, past }: Began, floorMs = DAY): Promise<Record<string, string>> {
  const { journal, sessions, vocabulary } = room;
  const root = () => ({ ...room.facts, history: past.history });
  await recoverInterrupted(
    { journal, sessions, vocabulary, root, now: () => Date.now(), floorMs, killSwitch: null },
    past.state,
  );
  const labels: Record<string, string> = {};
  for (const principal of ["alice", "bob", "carol"])
    labels[principal] = (await sessions.openOrJoin(callerOf(principal), null)).session.sensitivity;
  return labels;
}

const { vocabulary } = recordRoom(new HostStore());
/** The highest label. */
export const highest = vocabulary.linear(vocabulary.highest.compartments);
/** Labels where the whole log was read. */
export const KNOWN = { alice: "pii", bob: LOWEST_LABEL, carol: LOWEST_LABEL };
/** Labels where it was not. */
export const UNKNOWN = { alice: highest, bob: highest, carol: highest };

/** The log of such an instance, with a snapshot and a session behind it if wanted. */
export async function logOf(options: { readonly snapshot?: boolean } = {}): Promise<HostStore> {
  const store = new HostStore();
  const room = await ranBefore(store);
  if (options.snapshot === true) {
    await room.journal.writeSnapshot();
    const later = await room.sessions.openOrJoin(callerOf("bob"), "later");
    await room.recorder.ensureStarted(later);
  }
  return store;
}
