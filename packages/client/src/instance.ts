import { canonicalText, CmcpError, untrusted, type ErrorCode } from "@cmcp/boundary";
import { chooseKey, parseKeyConfigs, type GatewayKey } from "@cmcp/seal";
import { verifyInstance, type InstanceExpectations, type InstanceVerdict, type VerifierCrypto } from "@cmcp/verify";
import { collect } from "./bytes.ts";

/** Largest report that is read, in bytes. */
const MAX_REPORT_BYTES = 32 * 1024 * 1024;
/** How long a report is used before the gateway is asked for its present one, in milliseconds. */
const REPORT_MS = 5 * 60_000;
/** Checks that say no more than that another policy is in force. */
const OF_POLICY: readonly ErrorCode[] = [
  "POLICY_HASH_MISMATCH",
  "POLICY_NOT_OF_LAUNCH",
  "POLICY_SIGNATURE_INVALID",
  "POLICY_VERSION_NOT_HIGHER",
  "POLICY_BUNDLE_INVALID",
];

/** What a client expects of an enclave. When it is verified is for the client's clock to say. */
export type Expected = Omit<InstanceExpectations, "now" | "nonce">;

/** What verifying an instance takes. */
export interface InstancePorts {
  readonly crypto: VerifierCrypto;
  readonly fetch: typeof globalThis.fetch;
  /** Time of an appraisal. */
  readonly now: () => Date;
  /** Milliseconds of a clock that does not go back. */
  readonly monotonic: () => number;
}

/** One report that was accepted. */
interface Appraised {
  readonly verdict: InstanceVerdict;
  readonly binding: NonNullable<InstanceVerdict["binding"]>;
  readonly key: GatewayKey;
  /** Monotonic milliseconds at which the gateway is asked again. */
  readonly until: number;
}

/** One instance of a gateway, verified at first and again before each key is used for long. */
export class ConnectedInstance {
  readonly #gateway: URL;
  readonly #expected: Expected;
  readonly #ports: InstancePorts;
  readonly #first: Appraised;
  #present: Appraised;
  #renewing: Promise<Appraised> | null = null;
  /** Policies of accepted reports. */
  readonly #policies = new Set<string>();

  private constructor(gateway: URL, expected: Expected, ports: InstancePorts, first: Appraised) {
    this.#gateway = gateway;
    this.#expected = expected;
    this.#ports = ports;
    this.#first = first;
    this.#present = first;
    this.#policies.add(first.binding.policy_hash);
  }

  /** @throws CmcpError `INSTANCE_NOT_ACCEPTED`, `GATEWAY_ANSWER_INVALID`, `SEAL_SUITE_UNSUPPORTED` */
  static async verify(gateway: URL, expected: Expected, ports: InstancePorts): Promise<ConnectedInstance> {
    const first = await appraise(gateway, expected, ports);
    if ("code" in first) throw new CmcpError("INSTANCE_NOT_ACCEPTED", `nothing was sent: ${first.why}`);
    return new ConnectedInstance(gateway, expected, ports, first);
  }

  /** What the instance showed first. */
  get verdict(): InstanceVerdict {
    return this.#first.verdict;
  }

  /** Its key, base64url of 32 bytes. */
  get signingKey(): string {
    return this.#first.binding.keys["signing"] ?? "";
  }

  /**
   * The key to seal to.
   *
   * @throws CmcpError `INSTANCE_CHANGED`, `ATTESTATION_STALE`, `POLICY_CHANGED`, `GATEWAY_ANSWER_INVALID`
   */
  async key(): Promise<GatewayKey> {
    if (this.#ports.monotonic() >= this.#present.until) await this.#renew();
    return this.#present.key;
  }

  /**
   * Waits for an answer under the key. Where the host answers in place of the enclave, the enclave may have other keys: the next one comes
   * from a new report.
   */
  async heard(answer: Promise<Response>): Promise<Response> {
    try {
      return await answer;
    } catch (thrown) {
      if (thrown instanceof CmcpError && thrown.code === "SEAL_OUTCOME_UNKNOWN")
        this.#present = { ...this.#present, until: -Infinity };
      throw thrown;
    }
  }

  /**
   * Holds the policy that a call was decided under to the instance's reports, of which a newer one is asked for.
   *
   * @throws as {@link key}
   */
  async requirePolicy(hash: string): Promise<void> {
    if (this.#policies.has(hash)) return;
    await this.#renew();
    if (!this.#policies.has(hash))
      throw new CmcpError(
        "POLICY_CHANGED",
        `a call was decided under policy ${hash}, which no report of the instance names`,
      );
  }

  /** Requests at one time ask for one report. */
  async #renew(): Promise<void> {
    this.#renewing ??= this.#appraiseAgain().finally(() => {
      this.#renewing = null;
    });
    this.#present = await this.#renewing;
    this.#policies.add(this.#present.binding.policy_hash);
  }

  async #appraiseAgain(): Promise<Appraised> {
    const again = await appraise(this.#gateway, { ...this.#expected, trustedKey: this.signingKey }, this.#ports);
    if ("code" in again) throw new CmcpError(again.code, again.why);
    const [before, now] = [lasting(this.#first), lasting(again)];
    if (before !== now)
      throw new CmcpError("INSTANCE_CHANGED", `the gateway's instance was ${before} and says now that it is ${now}`);
    const { policy_hash: hash, catalog_hash: catalog } = again.binding;
    if (this.#expected.launch === undefined && catalog !== this.#present.binding.catalog_hash)
      throw new CmcpError(
        "CATALOG_CHANGED",
        `catalog ${catalog} is in force now, and without the launch document nothing says whether it may follow`,
      );
    // With the launch document the verdict says whether the policy may follow. Without it nothing does.
    if (this.#expected.launch === undefined && !this.#policies.has(hash))
      throw new CmcpError(
        "POLICY_CHANGED",
        `policy ${hash} is in force now, and without the launch document nothing says whether it may follow`,
      );
    return again;
  }
}

/**
 * All that a report binds but its nonce, policy and catalog in force, and the keys to seal to, of which the instance signs
 * another list at times.
 */
function lasting({
  binding: { nonce: _nonce, policy_hash: _hash, catalog_hash: _catalog, keys, ...rest },
}: Appraised): string {
  const { seal: _seal, ...others } = keys;
  return canonicalText({ ...rest, keys: others });
}

/** A report that is not accepted. */
interface Refused {
  readonly code: "INSTANCE_CHANGED" | "ATTESTATION_STALE" | "POLICY_CHANGED";
  readonly why: string;
}

async function appraise(
  gateway: URL,
  expected: Expected,
  { crypto, fetch, now, monotonic }: InstancePorts,
): Promise<Appraised | Refused> {
  const report = await reportOf(gateway, fetch);
  const verdict = await verifyInstance({ report }, { ...expected, now: now() }, crypto);
  const { outcome, binding, sealKeys } = verdict;
  if (outcome !== "accepted" || binding === null || sealKeys === null) return refused(verdict);
  const key = chooseKey(parseKeyConfigs(untrusted(sealKeys)));
  return { verdict, binding, key, until: monotonic() + REPORT_MS };
}

function refused({ outcome, checks }: InstanceVerdict): Refused {
  const failed = checks.filter(({ status }) => status === "failed");
  const reasons = failed.map(({ name, why }) => `${name}: ${why}`).join("; ");
  const why = `the gateway's enclave is ${outcome}${reasons === "" ? " and has no keys to seal to" : ` (${reasons})`}`;
  const codes = failed.flatMap(({ code }) => code ?? []);
  if (codes.includes("EVIDENCE_EXPIRED")) return { code: "ATTESTATION_STALE", why };
  const isPolicy = codes.length > 0 && codes.every((code) => OF_POLICY.includes(code));
  return { code: isPolicy ? "POLICY_CHANGED" : "INSTANCE_CHANGED", why };
}

/** The URL with one slash at its end. */
export function base(gateway: URL): URL {
  return new URL(gateway.href.replace(/[?#].*$/, "").replace(/\/*$/, "/"));
}

async function reportOf(gateway: URL, fetch: typeof globalThis.fetch): Promise<Uint8Array> {
  const url = new URL("attestation", base(gateway));
  const answer = await fetch(url, { redirect: "error" });
  if (!answer.ok || answer.body === null)
    throw new CmcpError("GATEWAY_ANSWER_INVALID", `${url.origin} answered ${answer.status} when asked for its report`);
  const report = await collect(answer.body, MAX_REPORT_BYTES);
  if (report === null)
    throw new CmcpError("GATEWAY_ANSWER_INVALID", `${url.origin} sent a report of over ${MAX_REPORT_BYTES} bytes`);
  return report;
}
