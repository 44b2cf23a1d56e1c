import {
  JournalReader,
  readRecord,
  TipJournalReader,
  type History,
  type HistoryReason,
  type RecoveredInstance,
} from "@cmcp/audit";
import { jwkThumbprintText } from "@cmcp/attestation";
import { asCmcpError } from "@cmcp/boundary";
import type { Journal } from "./journal.ts";

/** Most earlier instances that are read, latest first. If there are more, every principal starts at the highest sensitivity. */
const MAX_INSTANCES = 1_024;

/** One earlier instance. */
interface EarlierInstance {
  /** `null` if its journal cannot be read. */
  readonly recovered: RecoveredInstance | null;
  /** What is wrong with its journal; `null` if nothing is. */
  readonly flaw: HistoryReason | null;
}

/** The earlier instances in the store, earliest first. */
export interface EarlierInstances {
  readonly history: History;
  readonly instances: readonly EarlierInstance[];
  /** The latest by the host's order, and its number of records in the store. */
  readonly latest: { readonly instance: string; readonly records: number } | null;
}

/** Reads the journals of earlier instances from the host. Only records that verify under an instance's key count. */
export async function readEarlierInstances(journal: Pick<Journal, "scan">, own: string): Promise<EarlierInstances> {
  const { names, unreadable } = await instanceNames(journal, own);
  const instances: EarlierInstance[] = [];
  const recordCounts = new Map<string, number>();
  if (unreadable) instances.push({ recovered: null, flaw: "unreadable" });
  if (names.length > MAX_INSTANCES) instances.push({ recovered: null, flaw: "too-many-instances" });
  for (const name of names.slice(-MAX_INSTANCES)) {
    const recovered = await readInstance(journal, name);
    recordCounts.set(name, recovered?.records ?? 0);
    instances.push({ recovered, flaw: flawOf(recovered) });
  }
  const missing = missingHistory(instances, recordCounts, names.length > MAX_INSTANCES);
  if (missing !== null) instances.push({ recovered: null, flaw: missing });
  const reason = instances.find(({ flaw }) => flaw !== null)?.flaw ?? null;
  return {
    history: reason === null ? { state: "complete" } : { state: "incomplete", reason },
    instances,
    latest: latestOf(names, recordCounts),
  };
}

function latestOf(names: readonly string[], recordCounts: ReadonlyMap<string, number>): EarlierInstances["latest"] {
  const instance = names.at(-1);
  return instance === undefined ? null : { instance, records: recordCounts.get(instance) ?? 0 };
}

/** Whether the store lacks records that a later instance saw. Instances beyond the limit are not read, so nothing is missing there. */
function missingHistory(
  instances: readonly EarlierInstance[],
  recordCounts: ReadonlyMap<string, number>,
  cut: boolean,
): HistoryReason | null {
  const seen = instances.map(({ recovered }) => recovered?.facts.previous).filter((previous) => previous !== undefined);
  if (seen.some(({ instance, records }) => (recordCounts.get(instance) ?? records) < records)) return "gap";
  return !cut && seen.some(({ instance }) => !recordCounts.has(instance)) ? "missing-instance" : null;
}

function flawOf(recovered: RecoveredInstance | null): HistoryReason | null {
  if (recovered === null) return "unreadable";
  if (recovered.refused > 0) return "refused";
  return recovered.gapless ? null : "gap";
}

/** The instances with a first record in the store, in the store's order, each once. */
async function instanceNames(
  journal: Pick<Journal, "scan">,
  own: string,
): Promise<{ readonly names: readonly string[]; readonly unreadable: boolean }> {
  const names = new Set<string>();
  let unreadable = false;
  const whole = await readable(async () => {
    for await (const bytes of journal.scan({ kind: "instance" })) {
      const instance = readRecord(bytes)?.instance;
      if (instance === undefined) unreadable = true;
      else if (instance !== own) names.add(instance);
    }
  });
  return { names: [...names], unreadable: unreadable || !whole };
}

async function readInstance(journal: Pick<Journal, "scan">, instance: string): Promise<RecoveredInstance | null> {
  // The fast reader gives up on a changed journal. It is then read again, record by record.
  for (const make of [() => new TipJournalReader(jwkThumbprintText), () => new JournalReader(jwkThumbprintText)]) {
    const reader = make();
    const whole = await readable(async () => {
      for await (const bytes of journal.scan({ instance })) reader.add(bytes);
    });
    const recovered = reader.finish();
    if (recovered !== null) return whole ? recovered : { ...recovered, gapless: false };
  }
  return null;
}

/** Whether the host returned all records. A reply that breaks off counts as missing records. */
async function readable(read: () => Promise<void>): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (thrown) {
    if (asCmcpError(thrown, "INTERNAL", "").code !== "AUDIT_STORE_MISMATCH") throw thrown;
    return false;
  }
}
