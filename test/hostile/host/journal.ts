import type { HostAct } from "../schedule/acts.ts";
import { flipped, rearranged, truncated } from "./doctored.ts";
import type { KeptRecord } from "./store.ts";

type Restart = Pick<Extract<HostAct, { kind: "restart" }>, "lie" | "at">;

/**
 * What the next enclave is to find of the journal.
 * @param from how many records at its beginning stay as they are, but where the whole journal goes
 */
export function doctoredJournal(kept: readonly KeptRecord[], from: number, act: Restart): KeptRecord[] {
  if (act.lie === "empty") return [];
  if (act.lie === "hidden") {
    const hidden = kept[act.at % Math.max(1, kept.length)]?.instance;
    return kept.filter(({ instance }) => instance !== hidden);
  }
  return [...kept.slice(0, from), ...doctored(kept.slice(from), kept, { ...act, lie: act.lie })];
}

function doctored(
  records: readonly KeptRecord[],
  all: readonly KeptRecord[],
  { lie, at }: Restart & { readonly lie: Exclude<Restart["lie"], "empty" | "hidden"> },
): readonly KeptRecord[] {
  if (records.length === 0) return records;
  const index = at % records.length;
  const replaced = (how: (bytes: Uint8Array) => Uint8Array): KeptRecord[] =>
    records.map((record, position) => (position === index ? { ...record, bytes: how(record.bytes) } : record));
  switch (lie) {
    case "kept":
      return records;
    case "rolled-back":
      return records.slice(0, index);
    case "flip":
      return replaced((bytes) => flipped(bytes, at));
    case "truncate":
      return replaced((bytes) => truncated(bytes, at));
    case "foreign":
      return replaced((bytes) => all[(at >>> 5) % all.length]?.bytes ?? bytes);
    case "gap":
      return rearranged(records, "drop", at);
    case "reorder":
    case "twice":
      return rearranged(records, lie, at);
  }
}
