import { asCmcpError, CmcpError } from "@cmcp/boundary";
import { formatVerifierKey, readWitnessPolicy, type WitnessPolicy } from "@cmcp/log";
import type { Log } from "../log.ts";
import type { LogStore } from "../store/log-store.ts";
import { CosignedHeads } from "./cosigned-heads.ts";
import { Cosigner } from "./cosigner.ts";
import { openLogKey } from "./log-key.ts";
import type { WitnessOutcome } from "./witness-link.ts";

/** Before a head is submitted again to a witness that failed, in milliseconds, and the most of that. */
const RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

/** The witnesses of a log, as the host reaches them. */
export interface HostWitnesses {
  /** Name of the log. */
  readonly origin: string;
  /** The policy of the launch document. */
  readonly policy: string;
  /** The policy before it, whose quorum a start needs beside until its hand-over is cosigned; `null` for none. */
  readonly formerPolicy: string | null;
  /** Where each witness takes checkpoints, by its name in the policy. */
  readonly urls: Readonly<Record<string, string>>;
  /** File of the log's key; made where there is none. */
  readonly keyPath: string;
  /** Milliseconds until a round ends without its quorum. */
  readonly waitMs: number;
}

/**
 * Opens the log's key, and what has heads cosigned.
 *
 * @throws CmcpError `CONFIG_INVALID` for a policy that is not valid, a witness without a URL, or a URL of no witness; `LOG_KEY_INVALID`
 */
export async function openCosigner(witnesses: HostWitnesses, store: LogStore, log: Log): Promise<Cosigner> {
  const policies = reachable(witnesses);
  const key = await openLogKey(witnesses.keyPath, witnesses.origin);
  log.info("witnesses know the log by its key", { key: formatVerifierKey(key.verifierKey) });
  const heads = new CosignedHeads(store, (thrown) => {
    const { code } = asCmcpError(thrown, "AUDIT_STORE_UNAVAILABLE", "the store failed");
    log.warn("a cosigned head was not kept; the next one is tried", { code });
  });
  return new Cosigner({
    policies,
    key,
    read: ({ level, index }) => store.tile(level, index),
    times: { waitMs: witnesses.waitMs, retryMs: RETRY_MS, maxRetryMs: MAX_RETRY_MS },
    heads,
    onChange: (witness, outcome) => report(log, witness, outcome),
  });
}

function reachable({ policy, formerPolicy, urls }: HostWitnesses): WitnessPolicy[] {
  const policies = [policyOf("log.witnesses", policy)];
  if (formerPolicy !== null) policies.push(policyOf("former_witnesses", formerPolicy));
  const keys = new Map<string, string>();
  for (const { name, key } of policies.flatMap(({ witnesses }) => witnesses)) {
    const text = formatVerifierKey(key);
    if ((keys.get(name) ?? text) !== text)
      throw new CmcpError("CONFIG_INVALID", `former_witnesses: the witness ${name} has another key in log.witnesses`);
    keys.set(name, text);
  }
  const unknown = Object.keys(urls).find((name) => !keys.has(name));
  if (unknown !== undefined)
    throw new CmcpError("CONFIG_INVALID", `witness_urls: log.witnesses names no witness ${JSON.stringify(unknown)}`);
  return policies.map(({ witnesses, ...rest }) => ({
    ...rest,
    witnesses: witnesses.map((witness) => ({ ...witness, url: urls[witness.name] ?? null })),
  }));
}

function policyOf(key: string, text: string): WitnessPolicy {
  try {
    return readWitnessPolicy(text);
  } catch (thrown) {
    const why = thrown instanceof CmcpError ? thrown.message : "unreadable";
    throw new CmcpError("CONFIG_INVALID", `${key}: ${why}`, { cause: thrown });
  }
}

function report(log: Log, witness: string, outcome: WitnessOutcome): void {
  if (outcome.kind === "cosigned") log.info("a witness cosigned", { witness });
  else if (outcome.kind === "ahead") log.error("a witness has seen more of the log", { witness, size: outcome.size });
  else log.warn("a witness did not cosign", { witness, reason: outcome.reason });
}
