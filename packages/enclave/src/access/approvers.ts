import { createHash, randomBytes, webcrypto } from "node:crypto";
import { readAccess, verifyAccess, type Approver } from "@cmcp/approval";
import { canonicalBytes, CmcpError, untrusted } from "@cmcp/boundary";
import type { ApprovalTerms } from "@cmcp/policy";

/** How long a token lets an approver see what waits for it, in milliseconds. */
const TOKEN_MS = 15 * 60_000;
/** Most tokens of one approver. The oldest gives way. */
const MAX_TOKENS = 4;
/** How far a statement's time may be from the enclave's, in milliseconds, and so how long it is remembered. */
const WINDOW_MS = 5 * 60_000;
/** Most statements of one approver that are remembered. */
const MAX_REMEMBERED = 256;
const TOKEN_BYTES = 32;

/** Where approvers come to, and when. */
export interface ApproversPlace {
  /** RFC 7638 thumbprint of the instance's signing key, base64url. */
  readonly instance: string;
  /** Digest of the launch document, which names the log. */
  readonly launchDigest: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Monotonic milliseconds: the host does not set this clock. */
  readonly monotonic: () => number;
}

interface KnownApprover {
  readonly approver: Approver;
  /** End of each token, by its hash, in the order they were given. */
  readonly tokens: Map<string, number>;
  /** When each random part of a statement can be forgotten. */
  readonly seen: Map<string, number>;
}

/** The approvers of the measured configuration, and the short-lived tokens with which they look at what waits. */
export class Approvers {
  readonly #known: ReadonlyMap<string, KnownApprover>;
  readonly #place: ApproversPlace;

  constructor(approvers: readonly Approver[], place: ApproversPlace) {
    this.#known = new Map(
      approvers.map((approver) => [approver.id, { approver, tokens: new Map(), seen: new Map() }] as const),
    );
    this.#place = place;
  }

  /** Each name with the approver's digest, as root entries say it; `null` where nobody approves. */
  get named(): string | null {
    const names = [...this.#known.values()].map(({ approver }) => `${approver.id}:${digestOf(approver)}`);
    return names.length === 0 ? null : names.join(",");
  }

  /** Who can approve under some terms; `null` where they are too few. */
  eligible({ needed, approvers }: ApprovalTerms): readonly string[] | null {
    const eligible = [...this.#known.keys()].filter((id) => approvers === null || approvers.includes(id));
    return eligible.length < needed ? null : eligible;
  }

  /**
   * Gives a token for a signed statement of access, once.
   * @throws CmcpError `APPROVAL_MALFORMED`, `APPROVAL_ACCESS_INVALID`, `OVERLOADED`
   */
  async admit(bytes: Uint8Array): Promise<{ readonly token: string; readonly expires_in: number }> {
    const signed = readAccess(untrusted(bytes));
    const { access } = signed;
    const known = this.#known.get(access.approver);
    if (known === undefined) throw refused("no measured approver signed the statement");
    await verifyAccess(webcrypto, known.approver, signed);
    if (access.instance !== this.#place.instance) throw refused("the statement is for another instance");
    if (access.launch_digest !== this.#place.launchDigest)
      throw refused("the statement is for another launch document");
    if (Math.abs(this.#place.now() - access.issued_at * 1000) > WINDOW_MS)
      throw refused("the statement is older or newer than five minutes");
    this.#remember(known, access.random);
    return { token: this.#tokenFor(known), expires_in: TOKEN_MS / 1000 };
  }

  /** The approver that a token was given to. @throws CmcpError `APPROVAL_ACCESS_INVALID` */
  authenticate(authorization: string | null): Approver {
    const token = /^Bearer ([A-Za-z0-9_-]{43})$/.exec(authorization ?? "")?.[1] ?? "";
    const hash = hashOf(token);
    for (const { approver, tokens } of this.#known.values())
      if ((tokens.get(hash) ?? 0) > this.#place.monotonic()) return approver;
    throw refused("the token is of no approver, or is older than 15 minutes");
  }

  /** A statement counts once. It is remembered for as long as its time would let it count again. */
  #remember({ seen }: KnownApprover, random: string): void {
    const now = this.#place.monotonic();
    for (const [known, until] of seen) if (until <= now) seen.delete(known);
    if (seen.has(random)) throw refused("the statement was used before");
    if (seen.size >= MAX_REMEMBERED) throw new CmcpError("OVERLOADED", "too many statements of access in a short time");
    seen.set(random, now + 2 * WINDOW_MS);
  }

  #tokenFor({ tokens }: KnownApprover): string {
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
    tokens.set(hashOf(token), this.#place.monotonic() + TOKEN_MS);
    const [oldest = ""] = tokens.keys();
    if (tokens.size > MAX_TOKENS) tokens.delete(oldest);
    return token;
  }
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** As `approverDigest` of the approval package, at once. */
function digestOf(approver: Approver): string {
  return createHash("sha256").update(canonicalBytes(approver)).digest("base64url");
}

function refused(why: string): CmcpError {
  return new CmcpError("APPROVAL_ACCESS_INVALID", why);
}
