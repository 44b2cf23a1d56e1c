/** Which logs and witnesses are trusted, and how many of the witnesses it takes (C2SP tlog-policy). */
import { bytesEqual, CmcpError } from "@cmcp/boundary";
import { MAX_NAME_BYTES, parseVerifierKey, SIGNATURE_TYPE, type SignatureType, type VerifierKey } from "./key.ts";

/** Largest policy, in characters. */
export const MAX_WITNESS_POLICY_LENGTH = 64 * 1024;

/** Most logs, most witnesses and most groups of a policy, each. */
export const MAX_POLICY_ENTRIES = 32;

/** Longest URL of a log or witness, in characters. */
const MAX_URL_LENGTH = 2048;

/** A log whose checkpoints are accepted. */
export interface TrustedLog {
  /** Its name is the log's origin. */
  readonly key: VerifierKey;
  readonly url: string | null;
}

/** A witness whose cosignature counts. */
export interface Witness {
  /** Name within the policy. */
  readonly name: string;
  readonly key: VerifierKey;
  /** Where it takes checkpoints, if the policy says. */
  readonly url: string | null;
}

/** What it takes: nothing, one witness, or a number of members that each take something. */
export type Quorum =
  | { readonly kind: "none" }
  | { readonly kind: "witness"; readonly witness: Witness }
  | { readonly kind: "group"; readonly threshold: number; readonly members: readonly Quorum[] };

/** A policy that was read. */
export interface WitnessPolicy {
  readonly logs: readonly TrustedLog[];
  readonly witnesses: readonly Witness[];
  readonly quorum: Quorum;
}

/**
 * Reads a policy.
 *
 * @param text chosen by whoever configures it
 * @param readKey reads a verifier key. Without hashes, {@link parseVerifierKey}: it does not hold ids to names
 * @throws CmcpError `WITNESS_POLICY_INVALID`, with the line's number, for another form or a bound that is passed
 */
export function parseWitnessPolicy(
  text: string,
  readKey: (text: string) => VerifierKey = parseVerifierKey,
): WitnessPolicy {
  if (text.length > MAX_WITNESS_POLICY_LENGTH) throw new CmcpError("WITNESS_POLICY_INVALID", "the policy is too large");
  if (!text.endsWith("\n")) throw new CmcpError("WITNESS_POLICY_INVALID", "a newline does not end the policy");
  const reader = new PolicyReader(readKey);
  for (const [at, line] of text.slice(0, -1).split("\n").entries()) {
    try {
      reader.read(line);
    } catch (thrown) {
      const why = thrown instanceof CmcpError ? thrown.message : "unreadable";
      throw new CmcpError("WITNESS_POLICY_INVALID", `line ${at + 1}: ${why}`, { cause: thrown });
    }
  }
  return reader.policy();
}

/** The name of the quorum that takes nothing. */
const NONE = "none";

class PolicyReader {
  readonly #readKey: (text: string) => VerifierKey;
  readonly #logs: TrustedLog[] = [];
  readonly #witnesses: Witness[] = [];
  readonly #defined = new Map<string, Quorum>();
  /** Names that are a member of a group: none is of two (C2SP tlog-policy, "Defining a witness group"). */
  readonly #members = new Set<string>();
  #groups = 0;
  #quorum: Quorum | undefined;

  constructor(readKey: (text: string) => VerifierKey) {
    this.#readKey = readKey;
  }

  read(line: string): void {
    if (/[^\t -~\u0080-\u{10ffff}]/u.test(line)) throw invalid("it has a control character");
    const [keyword, ...items] = line.split(/[\t ]+/).filter((item) => item !== "");
    if (keyword === undefined || keyword.startsWith("#")) return;
    if (keyword === "log") this.#addLog(items);
    else if (keyword === "witness") this.#addWitness(items);
    else if (keyword === "group") this.#addGroup(items);
    else if (keyword === "quorum") this.#setQuorum(items);
    else throw invalid("it is neither log, witness, group nor quorum");
  }

  policy(): WitnessPolicy {
    if (this.#quorum === undefined) throw invalid("it has no quorum line");
    return { logs: this.#logs, witnesses: this.#witnesses, quorum: this.#quorum };
  }

  #addLog([key = "", url, ...more]: readonly string[]): void {
    if (more.length > 0) throw invalid("a log has a key and a URL");
    this.#logs.push({ key: this.#key(key, SIGNATURE_TYPE.ed25519, this.#logs), url: checkedUrl(url) });
  }

  #addWitness([name = "", key = "", url, ...more]: readonly string[]): void {
    if (more.length > 0) throw invalid("a witness has a name, a key and a URL");
    const witness = { name, key: this.#key(key, SIGNATURE_TYPE.cosignature, this.#witnesses), url: checkedUrl(url) };
    this.#define(name, { kind: "witness", witness });
    this.#witnesses.push(witness);
  }

  #addGroup([name = "", count = "", ...members]: readonly string[]): void {
    this.#groups += 1;
    if (this.#groups > MAX_POLICY_ENTRIES) throw invalid("it has too many groups");
    const rules = members.map((member) => this.#member(member));
    const threshold = thresholdOf(count, members.length);
    this.#define(name, { kind: "group", threshold, members: rules });
  }

  #setQuorum([name = "", ...more]: readonly string[]): void {
    if (more.length > 0 || this.#quorum !== undefined) throw invalid("there is one quorum, of one name");
    const rule: Quorum | undefined = name === NONE ? { kind: "none" } : this.#defined.get(name);
    if (rule === undefined) throw invalid("the quorum's name is not defined before");
    this.#quorum = rule;
  }

  #member(name: string): Quorum {
    const rule = this.#defined.get(name);
    if (rule === undefined) throw invalid("a member's name is not defined before");
    if (this.#members.has(name)) throw invalid("a name is a member already");
    this.#members.add(name);
    return rule;
  }

  #define(name: string, rule: Quorum): void {
    if (name === "" || name === NONE || name.length > MAX_NAME_BYTES) throw invalid("its name cannot be one");
    if (this.#defined.has(name)) throw invalid("its name is defined already");
    this.#defined.set(name, rule);
  }

  #key(text: string, type: SignatureType, others: readonly { readonly key: VerifierKey }[]): VerifierKey {
    if (others.length >= MAX_POLICY_ENTRIES) throw invalid("there are too many of these");
    const key = this.#readKey(text);
    if (key.type !== type) throw invalid("the key is of the other signature type: a log's is 1, a witness's 4");
    if (others.some((other) => bytesEqual(other.key.publicKey, key.publicKey))) throw invalid("its key is a duplicate");
    return key;
  }
}

function checkedUrl(url: string | undefined): string | null {
  if (url !== undefined && url.length > MAX_URL_LENGTH) throw invalid("its URL is too long");
  return url ?? null;
}

function thresholdOf(count: string, members: number): number {
  if (members === 0) throw invalid("a group has a member");
  if (count === "all") return members;
  if (count === "any") return 1;
  const threshold = /^[1-9]\d?$/.test(count) ? Number(count) : 0;
  if (threshold < 1 || threshold > members) throw invalid("a group's number is from 1 to that of its members");
  return threshold;
}

function invalid(why: string): CmcpError {
  return new CmcpError("WITNESS_POLICY_INVALID", why);
}

/**
 * Whether cosignatures on one head meet a quorum, and from when on they do: the latest time that a quorum of them has
 * reached. A witness whose clock is wrong moves it only together with a whole quorum.
 *
 * @param times by the witness's name in the policy, seconds since 1970; verified, and of one head
 * @returns `undefined` if the quorum is not met; 0 if it is `none`
 */
export function quorumTime(quorum: Quorum, times: ReadonlyMap<string, number>): number | undefined {
  if (quorum.kind === "none") return 0;
  if (quorum.kind === "witness") return times.get(quorum.witness.name);
  return quorum.members
    .map((member) => quorumTime(member, times))
    .filter((time) => time !== undefined)
    .toSorted((left, right) => right - left)[quorum.threshold - 1];
}

/**
 * Whether every two sets of witnesses that meet a quorum have a witness in common. Only then does a quorum show that a
 * log has one history: disjoint sets can each cosign another.
 */
export function quorumsIntersect(quorum: Quorum): boolean {
  return !isTwofold(quorum);
}

/** Whether two disjoint sets of witnesses can meet a quorum. As no name is a member twice, members have no witness in common. */
function isTwofold(quorum: Quorum): boolean {
  if (quorum.kind !== "group") return quorum.kind === "none";
  const both = quorum.members.filter(isTwofold).length;
  return 2 * quorum.threshold <= quorum.members.length + both;
}
