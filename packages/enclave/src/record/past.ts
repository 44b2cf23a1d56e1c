import {
  JournalReader,
  readRecord,
  UntouchedReader,
  type History,
  type HistoryReason,
  type RecoveredInstance,
} from "@cmcp/audit";
import { jwkThumbprintText } from "@cmcp/attestation";
import { asCmcpError } from "@cmcp/boundary";
import type { Journal } from "./journal.ts";

/** Most earlier instances looked at, latest first; that there are more is held against every principal. */
const MAX_INSTANCES = 1_024;

/** What a start finds of one instance before it; `null` of one whose journal cannot be read. */
interface FoundInstance {
  readonly recovered: RecoveredInstance | null;
  /** What of its journal contradicts itself. */
  readonly flaw: HistoryReason | null;
}

/** What a start finds of the instances before it, earliest first. */
export interface Past {
  readonly history: History;
  readonly instances: readonly FoundInstance[];
  /** The latest, by the host's order. */
  readonly latest: string | null;
}

/** What earlier instances' journals establish: read from the host, believed only where it verifies under their keys. */
export async function readPast(journal: Pick<Journal, "scan">, own: string): Promise<Past> {
  const { names, unreadable } = await instanceNames(journal, own);
  const instances: FoundInstance[] = [];
  if (unreadable) instances.push({ recovered: null, flaw: "unreadable" });
  if (names.length > MAX_INSTANCES) instances.push({ recovered: null, flaw: "too-many-instances" });
  for (const name of names.slice(-MAX_INSTANCES)) {
    const recovered = await readInstance(journal, name);
    instances.push({ recovered, flaw: flawOf(recovered, names) });
  }
  const reason = instances.find(({ flaw }) => flaw !== null)?.flaw ?? null;
  return {
    history: reason === null ? { state: "complete" } : { state: "incomplete", reason },
    instances,
    latest: names.at(-1) ?? null,
  };
}

function flawOf(recovered: RecoveredInstance | null, names: readonly string[]): HistoryReason | null {
  if (recovered === null) return "unreadable";
  if (recovered.refused > 0) return "refused";
  if (!recovered.gapless) return "gap";
  const previous = recovered.facts.previous_instance;
  return previous === undefined || names.includes(previous) ? null : "missing-instance";
}

/** The instances that the store shows a first record of, in its order, each once. */
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
  // A journal that the host changed is read again, record by record.
  for (const make of [() => new UntouchedReader(jwkThumbprintText), () => new JournalReader(jwkThumbprintText)]) {
    const reader = make();
    const whole = await readable(async () => {
      for await (const bytes of journal.scan({ instance })) reader.add(bytes);
    });
    const recovered = reader.finish();
    if (recovered !== null) return whole ? recovered : { ...recovered, gapless: false };
  }
  return null;
}

/** Whether the host handed over records to the end. What it breaks off is as if absent, and counts as missing. */
async function readable(read: () => Promise<void>): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (thrown) {
    if (asCmcpError(thrown, "INTERNAL", "").code !== "AUDIT_STORE_MISMATCH") throw thrown;
    return false;
  }
}
