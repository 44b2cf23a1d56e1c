import { noticeSigningInput, webhookSigningInput, NOTICE_FORMAT, type ApprovalRequest } from "@cmcp/approval";
import { canonicalText, CmcpError, toBase64Url, type ErrorCode, type JsonObject } from "@cmcp/boundary";

/** Most notices that are on their way, one that is tried again included. */
export const MAX_NOTICES = 128;
/** Most messages at one time. */
export const MAX_SENDING = 4;
/** Longest time of one attempt, in milliseconds. */
export const ATTEMPT_MS = 10_000;
/** How long a notice waits after each attempt that failed, in milliseconds. After the last of them it is given up. */
export const RETRY_MS = [1_000, 5_000, 30_000, 120_000] as const;
/** Most notices of one principal in a minute. */
export const MAX_OF_PRINCIPAL = 12;
const WINDOW_MS = 60_000;

/** Why a notice was not delivered. */
export const NOTICE_FAILURES = [
  "unreachable",
  "not-allowed",
  "identity",
  "timeout",
  "protocol",
  "redirect",
  "refused",
  "server-error",
  "full",
  "principal-limit",
] as const;
export type NoticeFailure = (typeof NOTICE_FAILURES)[number];

/** What sending notices needs. */
export interface NoticePorts {
  /** Sends one message. @returns the status of the answer */
  readonly post: (headers: Readonly<Record<string, string>>, body: string) => Promise<number>;
  readonly close: () => Promise<void>;
  /** Ed25519, by the instance's key. */
  readonly sign: (message: Uint8Array) => Uint8Array;
  /** Where people look; `null` without a place. The approval's id comes after it. */
  readonly url: string | null;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly monotonic: () => number;
  /** Runs something later. @returns what cancels it */
  readonly later: (ms: number, run: () => void) => () => void;
  /** Whether something still waits under an id. */
  readonly waits: (approvalId: string) => boolean;
  /** Says that a notice was given up. */
  readonly failed: (approvalId: string, why: NoticeFailure) => void;
}

interface Waiting {
  readonly approvalId: string;
  readonly body: string;
  attempts: number;
}

/**
 * Tells a receiver of the launch document that something waits for approval. Nothing of the call is in it. Nobody waits for it: a notice that
 * cannot be delivered is counted and said, and changes nothing else.
 */
export class ApprovalNotices {
  readonly #ports: NoticePorts;
  readonly #ready: Waiting[] = [];
  /** What cancels the wait of each notice that is tried again. */
  readonly #later = new Map<Waiting, () => void>();
  readonly #recent = new Map<string, number[]>();
  readonly #failures = new Map<NoticeFailure, number>();
  #sending = 0;
  #delivered = 0;
  #stopped = false;

  constructor(ports: NoticePorts) {
    this.#ports = ports;
  }

  /** For the status: how many wait, were delivered, and were not. */
  get state(): JsonObject {
    return { waiting: this.#size, delivered: this.#delivered, failed: Object.fromEntries(this.#failures) };
  }

  get #size(): number {
    return this.#ready.length + this.#later.size + this.#sending;
  }

  /** Sends the notice of a request that begins to wait. Returns at once, and never throws for what a receiver does. */
  send(request: ApprovalRequest): void {
    if (this.#stopped) return;
    const { approval_id: approvalId, principal } = request;
    if (!this.#takesOf(principal)) return this.#count("principal-limit");
    if (this.#size >= MAX_NOTICES) return this.#count("full");
    this.#ready.push({ approvalId, body: this.#bodyOf(request), attempts: 0 });
    this.#pump();
  }

  /** Drops everything at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ready.length = 0;
    for (const cancel of this.#later.values()) cancel();
    this.#later.clear();
    await this.#ports.close();
  }

  /** Whether a principal has a notice left in this minute. */
  #takesOf(principal: string): boolean {
    const now = this.#ports.monotonic();
    for (const [name, times] of this.#recent) {
      const recent = times.filter((time) => now - time < WINDOW_MS);
      if (recent.length === 0) this.#recent.delete(name);
      else this.#recent.set(name, recent);
    }
    const times = this.#recent.get(principal) ?? [];
    if (times.length >= MAX_OF_PRINCIPAL) return false;
    this.#recent.set(principal, [...times, now]);
    return true;
  }

  #bodyOf({ origin, instance, approval_id, issued_at, expires_at, needed }: ApprovalRequest): string {
    const { url, sign } = this.#ports;
    const place = url === null ? {} : { url: `${url}${approval_id}` };
    const notice = {
      format: NOTICE_FORMAT,
      origin,
      instance,
      approval_id,
      issued_at,
      expires_at,
      needed,
      ...place,
    } as const;
    return canonicalText({ notice, signature: toBase64Url(sign(noticeSigningInput(notice))) });
  }

  #pump(): void {
    while (this.#sending < MAX_SENDING) {
      const next = this.#ready.shift();
      if (next === undefined) return;
      if (!this.#ports.waits(next.approvalId)) continue;
      this.#sending += 1;
      void this.#attempt(next).then((failure) => {
        this.#sending -= 1;
        if (!this.#stopped) this.#settle(next, failure);
        this.#pump();
      });
    }
  }

  /** @returns why it was not delivered; `null` where it was */
  async #attempt({ approvalId, body }: Waiting): Promise<NoticeFailure | null> {
    const { post, sign, now } = this.#ports;
    const sentAt = Math.floor(now() / 1000);
    const signature = Buffer.from(sign(webhookSigningInput(approvalId, sentAt, body))).toString("base64");
    try {
      return failureOfStatus(
        await post(
          {
            "webhook-id": approvalId,
            "webhook-timestamp": String(sentAt),
            "webhook-signature": `v1a,${signature}`,
          },
          body,
        ),
      );
    } catch (thrown) {
      return thrown instanceof CmcpError ? (FAILURES[thrown.code] ?? "unreachable") : "unreachable";
    }
  }

  #settle(notice: Waiting, failure: NoticeFailure | null): void {
    if (failure === null) {
      this.#delivered += 1;
      return;
    }
    const wait = RETRY_MS[notice.attempts];
    notice.attempts += 1;
    if (wait === undefined || FINAL.has(failure)) {
      this.#count(failure);
      this.#ports.failed(notice.approvalId, failure);
      return;
    }
    const cancel = this.#ports.later(wait, () => {
      this.#later.delete(notice);
      this.#ready.push(notice);
      this.#pump();
    });
    this.#later.set(notice, cancel);
  }

  #count(failure: NoticeFailure): void {
    this.#failures.set(failure, (this.#failures.get(failure) ?? 0) + 1);
  }
}

/** What another attempt does not change. */
const FINAL: ReadonlySet<NoticeFailure> = new Set(["redirect", "refused", "not-allowed"]);

const FAILURES: Partial<Record<ErrorCode, NoticeFailure>> = {
  UPSTREAM_UNAVAILABLE: "unreachable",
  UPSTREAM_TIMEOUT: "timeout",
  UPSTREAM_IDENTITY_MISMATCH: "identity",
  UPSTREAM_PROTOCOL_ERROR: "protocol",
  EGRESS_NOT_ALLOWED: "not-allowed",
};

/** Too many requests and a request that took too long are worth another attempt (RFC 6585, RFC 9110 section 15.5.9). */
function failureOfStatus(status: number): NoticeFailure | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return "redirect";
  if (status === 429 || status === 408 || status >= 500) return "server-error";
  return "refused";
}
