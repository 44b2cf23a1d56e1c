import { approverKey, approverSchema } from "@cmcp/approval/approver";
import { CmcpError, readKeyPin } from "@cmcp/boundary";
import * as z from "zod";

/** Most approvers of a gateway. */
const MAX_APPROVERS = 16;
/** How long a call waits for approvals unless the configuration says otherwise, in seconds. */
export const DEFAULT_APPROVAL_SECONDS = 900;

/** Approvers with distinct names and distinct keys: two names of one key would be two approvals of one person. */
export const approversSchema = z
  .array(approverSchema)
  .max(MAX_APPROVERS)
  .refine((approvers) => new Set(approvers.map(({ id }) => id)).size === approvers.length, {
    error: "duplicate approver",
  })
  .refine((approvers) => new Set(approvers.map(approverKey)).size === approvers.length, {
    error: "two approvers have one key",
  });

/** Longest time for which a call waits, in seconds. */
export const approvalSeconds = z.int().min(30).max(86_400);

/** A URL whose end an approval's id can be: https, or http of this machine, ending with a slash. */
export const approvalUrl = z
  .string()
  .max(512)
  .refine(
    (text) => /^(?:https:\/\/|http:\/\/(?:localhost|127\.0\.0\.1)[:/])[^?#\s]*\/$/.test(text) && URL.canParse(text),
    {
      error: "must be an https URL that ends with '/', without query and fragment",
    },
  );

/** Where the enclave says that something waits: https with the key of the receiver, or http of this machine. */
export const approvalWebhook = z
  .strictObject({
    url: z
      .string()
      .max(512)
      .refine(
        (text) => /^(?:https:\/\/|http:\/\/(?:localhost|127\.0\.0\.1)[:/])[^#\s@]*$/.test(text) && URL.canParse(text),
        {
          error: "must be an https URL without credentials and fragment",
        },
      )
      .describe(
        "Where the enclave says that a call waits for approval, with POST: a signed statement that says nothing of the call. The host relays " +
          "it as it relays calls to tool servers, and reads none of it. In development the URL can be http of this machine.",
      ),
    tls_fingerprint: z
      .string()
      .refine((text) => readKeyPin(text) !== undefined, { error: "is not SHA256: and base64 of 32 bytes" })
      .optional()
      .describe(
        "`SHA256:` and base64 of the SHA-256 of the receiver's public key, as in the catalog. It is the whole trust.",
      ),
  })
  .refine(({ url, tls_fingerprint: fingerprint }) => url.startsWith("https:") === (fingerprint !== undefined), {
    path: ["tls_fingerprint"],
    error: "is there exactly for an https URL",
  });

/** Where notices are sent. */
export interface NoticeReceiver {
  readonly url: URL;
  /** SHA-256 of the receiver's SubjectPublicKeyInfo, 32 bytes; `null` for http. */
  readonly pin: Uint8Array | null;
}

/**
 * Where a configuration has notices sent; `null` for nowhere.
 * @throws CmcpError `CONFIG_INVALID` for http outside of development
 */
export function noticeReceiver(
  webhook: z.output<typeof approvalWebhook> | undefined,
  development: boolean,
): NoticeReceiver | null {
  if (webhook === undefined) return null;
  const { url, tls_fingerprint: fingerprint } = webhook;
  const pin = fingerprint === undefined ? null : (readKeyPin(fingerprint) ?? null);
  if (pin === null && !development)
    throw new CmcpError("CONFIG_INVALID", "enclave.approval_webhook.url: http is for development; use https", {
      detail: { key: "enclave.approval_webhook.url" },
    });
  return { url: new URL(url), pin };
}
