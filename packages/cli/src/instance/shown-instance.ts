import { untrusted } from "@cmcp/boundary";
import { parseLaunchDocument } from "@cmcp/launch";
import { readWitnessPolicy } from "@cmcp/log";
import type { InstanceVerdict } from "@cmcp/verify";

/**
 * What an instance is, for who verified it. `null` is what the launch document would say, where it was not given, and
 * all where the report is not accepted.
 */
export interface ShownInstance {
  /** Its signing key, base64url of 32 bytes. */
  readonly instance: string | null;
  readonly platform: string | null;
  readonly measurement: string | null;
  readonly launch_digest: string | null;
  readonly mode: string | null;
  readonly policy_hash: string | null;
  readonly catalog_hash: string | null;
  /** Over which channel requests with a token are taken: `sealed`, or `plain` beside it. */
  readonly channel: "sealed" | "plain" | null;
  /** Names of the log's witnesses. */
  readonly witnesses: readonly string[] | null;
  readonly padded_answers: boolean | null;
}

/**
 * What an accepted instance is.
 *
 * @param document the launch document that it was held to; `null` where none was given
 */
export function shownInstance(
  { keys, binding, platform, measurement }: InstanceVerdict,
  document: Uint8Array | null,
): ShownInstance {
  return {
    instance: keys?.["signing"] ?? null,
    platform,
    measurement,
    launch_digest: binding?.launch_digest ?? null,
    mode: binding?.enforcement_mode ?? null,
    policy_hash: binding?.policy_hash ?? null,
    catalog_hash: binding?.catalog_hash ?? null,
    ...(document === null || binding === null
      ? { channel: null, witnesses: null, padded_answers: null }
      : termsOf(document)),
  };
}

function termsOf(document: Uint8Array): Pick<ShownInstance, "channel" | "witnesses" | "padded_answers"> {
  const { enclave, log } = parseLaunchDocument(untrusted(document)).config;
  const { witnesses } = log;
  return {
    channel: enclave.channel ?? "plain",
    witnesses: witnesses === undefined ? [] : readWitnessPolicy(witnesses).witnesses.map(({ name }) => name),
    padded_answers: enclave.pad_sealed_answers ?? true,
  };
}

/** What `cmcp instance verify --json` and `cmcp connect --json` print of an instance. */
export function instanceJson(verdict: InstanceVerdict, shown: ShownInstance): object {
  const { outcome, assurance, keys, binding, checks } = verdict;
  return { outcome, assurance, ...shown, keys, binding, checks };
}

/** The same for a person, a line each. */
export function instanceLines({ keys }: Pick<InstanceVerdict, "keys">, shown: ShownInstance): string[] {
  const unknown = "not known (--launch-document)";
  const { witnesses, padded_answers: padded, channel } = shown;
  const facts: readonly (readonly [string, string | null])[] = [
    ...Object.entries(keys ?? {}).map(([name, key]) => [`${name} key`, key] as const),
    ["platform", shown.platform],
    ["measurement", shown.measurement],
    ["launch digest", shown.launch_digest],
    ["mode", shown.mode],
    ["policy", shown.policy_hash],
    ["catalog", shown.catalog_hash],
    ["channel", channel ?? unknown],
    ["witnesses", witnesses === null ? unknown : witnesses.join(", ") || "none"],
    ["padded answers", padded === null ? unknown : padded ? "yes" : "no"],
  ];
  return facts.flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
}
