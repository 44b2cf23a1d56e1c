import { noticeReceiver } from "@cmcp/launch";
import { OneWayPosts } from "@cmcp/mcp";
import type { PendingApprovals } from "../call/pending-approvals.ts";
import type { SigningKey } from "../instance/signing-key.ts";
import { reportNoticeFailed } from "../instance/stderr-events.ts";
import { ApprovalNotices, ATTEMPT_MS, MAX_SENDING } from "../servers/approval-notices.ts";
import type { InstanceParts } from "./compose-instance.ts";
import type { AcceptedLaunch } from "./launch.ts";

/** What notices are composed from. */
interface NoticesFrom {
  readonly instance: Pick<InstanceParts, "clock" | "monotonic">;
  readonly key: Pick<SigningKey, "sign">;
  readonly pending: PendingApprovals;
}

/**
 * Composes the notices of approvals, over connections as those to tool servers; `null` where the configuration names no receiver.
 * @throws CmcpError `CONFIG_INVALID` for a receiver over http outside of development
 */
export function composeNotices(
  { config: { enclave }, document, dial }: AcceptedLaunch,
  { instance: { clock, monotonic }, key, pending }: NoticesFrom,
): ApprovalNotices | null {
  const receiver = noticeReceiver(enclave.approval_webhook, document.development);
  if (receiver === null) return null;
  const { url, pin } = receiver;
  const now = (): number => clock.now().getTime();
  const tls = pin === null ? { mode: "none" as const } : { mode: "pinned" as const, spkiSha256: pin, now };
  const posts = new OneWayPosts({ url, dial, tls, totalMs: ATTEMPT_MS, connections: MAX_SENDING });
  return new ApprovalNotices({
    post: async (headers, body) => await posts.post(headers, body),
    close: async () => await posts.close(),
    sign: (message) => key.sign(message),
    url: enclave.approval_url ?? null,
    now,
    monotonic,
    later: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    waits: (id) => pending.ofId(id) !== undefined,
    failed: reportNoticeFailed,
  });
}
